package runner

import (
	"context"

	"github.com/tfrun/tfrun/tensor"
)

// turnEngine lets one run at a time use another engine: see [Options.InTurn].
type turnEngine struct {
	engine
	turn chan struct{} // holds one value while a run is under way
}

func (e *turnEngine) prepare(feeds, fetches []string) (program, error) {
	p, err := e.engine.prepare(feeds, fetches)
	if err != nil {
		return nil, err
	}
	return &turnProgram{program: p, e: e}, nil
}

type turnProgram struct {
	program
	e *turnEngine
}

func (p *turnProgram) load(feeds []Feed, r *recycler) (loaded, error) {
	l, err := p.program.load(feeds, r)
	if err != nil {
		return nil, err
	}
	return &turnLoaded{loaded: l, e: p.e}, nil
}

type turnLoaded struct {
	loaded
	e *turnEngine
}

func (l *turnLoaded) run(ctx context.Context, other program) ([]tensor.Tensor, error) {
	// The program may be that of another device, whose runs have turns of their own.
	e := l.e
	if p, ok := other.(*turnProgram); ok {
		e, other = p.e, p.program
	}
	select {
	case e.turn <- struct{}{}:
		defer func() { <-e.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return l.loaded.run(ctx, other)
}
