package scopes_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/internal/modeltest"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/internal/body"
	"github.com/tfrun/tfrun/savedmodel/layers/internal/scopes"
)

// scopeOf cuts the function of a model's serving signature into calls; nil where it has none.
func scopeOf(t *testing.T, m *savedmodel.Model) *scopes.Scope {
	t.Helper()
	mg := m.MetaGraphs[0]
	sig, err := mg.Signature("")
	if err != nil {
		return nil
	}
	b, err := body.Of(mg, sig)
	if err != nil || b == nil {
		return nil
	}
	return scopes.Of(b, nil, false)
}

// told writes a call as its scope, the class that it is taken for, and what it takes from.
func told(s *scopes.Scope, c *scopes.Call) string {
	class, sure := scopes.Classify(s, c, c.Raw, c.Vars)
	if !sure {
		class = "~" + class
	}
	var from []string
	for _, in := range c.Ins {
		if in.From == nil {
			from = append(from, "input")
		} else {
			from = append(from, in.From.Raw)
		}
	}
	return fmt.Sprintf("%s %s ← %s", c.Raw, class, strings.Join(from, ", "))
}

// TestScopes cuts models of testdata into their layers' calls.
func TestScopes(t *testing.T) {
	t.Parallel()
	for model, want := range map[string][]string{
		"k2_seed": {
			"embedding Embedding ← input", "bidirectional Bidirectional ← embedding",
			"dense Dense ← bidirectional", "dense_1 Dense ← dense",
		},
		"k3_seed": { // Keras 3 numbers the calls: dense_1_2 is the second layer's
			"embedding_1 Embedding ← input", "bidirectional_1 Bidirectional ← embedding_1",
			"dense_1 Dense ← bidirectional_1", "dense_1_2 Dense ← dense_1",
		},
		"k3_masked": { // the mask is no input of the layers
			"embedding_1 Embedding ← input", "NotEqual_1 ~NotEqual ← input", "bidirectional_1 Bidirectional ← embedding_1",
			"dense_1 Dense ← bidirectional_1", "dense_1_2 Dense ← dense_1",
		},
		"k2_nested": { // a model within, which two inputs share
			"encoder ~Functional ← input, input", "subtract Subtract ← encoder, encoder",
			"projector ~Functional ← subtract", "score Dense ← projector",
		},
		"own_k3_time_distributed": {
			"frames_1 TimeDistributed ← input", "time_distributed_1 TimeDistributed ← frames_1",
			"time_distributed_1_2 TimeDistributed ← time_distributed_1", "lstm_1 LSTM ← time_distributed_1_2", "dense_1 Dense ← lstm_1",
		},
	} {
		t.Run(model, func(t *testing.T) {
			t.Parallel()
			s := scopeOf(t, modeltest.Open(t, model))
			var got []string
			for _, c := range s.Calls {
				got = append(got, told(s, c))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestCallsHoldTogether checks of every model that an operation belongs to one call, and that what
// a call takes from another is among that one's results, of which the other knows.
func TestCallsHoldTogether(t *testing.T) {
	t.Parallel()
	calls := 0
	for _, c := range modeltest.Cases(t) {
		m, err := savedmodel.Open(c.Model())
		if err != nil {
			continue
		}
		s := scopeOf(t, m)
		if s == nil {
			continue
		}
		name := filepath.Base(c.Dir)
		owned := map[*graph.Node]*scopes.Call{}
		for _, call := range s.Calls {
			calls++
			for _, n := range call.Nodes {
				if other := owned[n]; other != nil || s.Owner[n] != call {
					t.Errorf("%s: %s belongs to %s and to another call", name, n.Name, call.Raw)
				}
				owned[n] = call
			}
			for _, in := range slices.Concat(call.Ins, call.Masks) {
				switch {
				case in.From == call:
					t.Errorf("%s: %s takes from itself", name, call.Raw)
				case in.From != nil && in.From.Output(in.Ref) < 0:
					t.Errorf("%s: %s takes from %s what that does not give", name, call.Raw, in.From.Raw)
				case in.From != nil && slices.Contains(call.Ins, in) && !slices.Contains(s.Consumers(in.From), call):
					t.Errorf("%s: %s does not count %s among those who take from it", name, in.From.Raw, call.Raw)
				}
			}
		}
	}
	if calls < 500 {
		t.Errorf("%d calls were looked at: want more", calls)
	}
}
