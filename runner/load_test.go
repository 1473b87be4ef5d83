package runner

import (
	"context"
	"errors"
	"testing"
)

// Loading ends for the caller when the context does, however long TensorFlow goes on; the session
// that comes of it later is closed.
func TestLoadUntilDone(t *testing.T) {
	t.Parallel()
	failure := errors.New("no such model")
	for _, tt := range []struct {
		name   string
		early  bool // the context is done before anything
		during bool // or while the model is loaded
		fails  error
		want   error
	}{
		{"loaded", false, false, nil, nil},
		{"fails", false, false, failure, failure},
		{"done before", true, false, nil, context.Canceled},
		{"done meanwhile", false, true, nil, context.Canceled},
		{"done meanwhile, and fails", false, true, failure, context.Canceled},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			e, goOn, begun := &fakeEngine{closes: make(chan bool, 1)}, make(chan bool), make(chan bool)
			if tt.early {
				cancel()
			}
			if tt.during {
				go func() {
					<-begun
					cancel()
				}()
			} else {
				close(goOn)
			}
			s, err := untilDone(ctx, func() (*Session, error) {
				close(begun)
				<-goOn
				if tt.fails != nil {
					return nil, tt.fails
				}
				return &Session{engine: e}, nil
			})
			if !errors.Is(err, tt.want) || (s != nil) != (tt.want == nil) {
				t.Errorf("%v, %v, want %v", s, err, tt.want)
			}
			if tt.during {
				close(goOn)
			}
			if tt.during && tt.fails == nil {
				<-e.closes
			}
		})
	}
}
