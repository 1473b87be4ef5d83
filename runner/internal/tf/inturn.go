package tf

import (
	"context"

	"github.com/tfrun/tfrun/tensor"
)

// turnEngine lets only one run at a time use another engine, see [Config.InTurn].
type turnEngine struct {
	Engine
	turn chan struct{} // holds a value during a run
}

// InTurn returns an engine that lets only one run at a time use e.
func InTurn(e Engine) Engine { return &turnEngine{Engine: e, turn: make(chan struct{}, 1)} }

// Prepare looks up the tensors of a signature.
func (e *turnEngine) Prepare(feeds, fetches []string) (Program, error) {
	p, err := e.Engine.Prepare(feeds, fetches)
	if err != nil {
		return nil, err
	}
	return &turnProgram{Program: p, e: e}, nil
}

type turnProgram struct {
	Program
	e *turnEngine
}

// Load writes the values to TensorFlow's memory, which needs no turn.
func (p *turnProgram) Load(feeds []Feed, r *Recycler) (Loaded, error) {
	l, err := p.Program.Load(feeds, r)
	if err != nil {
		return nil, err
	}
	return &turnLoaded{Loaded: l, e: p.e}, nil
}

type turnLoaded struct {
	Loaded
	e *turnEngine
}

// Run waits for its turn.
func (l *turnLoaded) Run(ctx context.Context, other Program) ([]tensor.Tensor, error) {
	// The program may belong to another device, whose runs have turns of their own.
	e := l.e
	if p, ok := other.(*turnProgram); ok {
		e, other = p.e, p.Program
	}
	select {
	case e.turn <- struct{}{}:
		defer func() { <-e.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return l.Loaded.Run(ctx, other)
}
