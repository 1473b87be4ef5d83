package layers_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/tfrun/tfrun/savedmodel/layers"
	"github.com/tfrun/tfrun/tensor"
)

// TestRefusedAt puts sizes into a model with an Add of two inputs, beside it and in a nested model:
// those that do not fit name the layer and both shapes.
func TestRefusedAt(t *testing.T) {
	t.Parallel()
	add := func(outer string) string {
		input := func(name string) string {
			return fmt.Sprintf(`{"class_name":"InputLayer","name":%q,"config":{"name":%[1]q,"batch_input_shape":[null,null,4],"dtype":"float32"},"inbound_nodes":[]}`, name)
		}
		return fmt.Sprintf(`{"class_name":"Functional","name":%q,"config":{"name":%[1]q,"layers":[%s,%s,
			{"class_name":"Add","name":"sum","config":{"name":"sum"},"inbound_nodes":[[["a",0,0,{}],["b",0,0,{}]]]}],
			"input_layers":[["a",0,0],["b",0,0]],"output_layers":[["sum",0,0]]}`, outer, input("a"), input("b"))
	}
	nested := fmt.Sprintf(`{"class_name":"Functional","config":{"name":"outer","layers":[
		{"class_name":"InputLayer","name":"a","config":{"name":"a","batch_input_shape":[null,null,4]},"inbound_nodes":[]},
		{"class_name":"InputLayer","name":"b","config":{"name":"b","batch_input_shape":[null,null,4]},"inbound_nodes":[]},
		%s,"inbound_nodes":[[["a",0,0,{}],["b",0,0,{}]]]}],"input_layers":[["a",0,0],["b",0,0]],"output_layers":[["inner",1,0]]}}`, add("inner"))
	for name, config := range map[string]string{"beside": add("outer") + "}", "nested": nested} {
		root, err := layers.ParseConfig(json.RawMessage(config))
		if err != nil {
			t.Fatal(err)
		}
		table := layers.FromConfig(root, "2.21.0", nil)
		for _, c := range []struct {
			a, b int64
			want string
		}{{5, 5, ""}, {5, 1, ""}, {5, 7, "sum: Add of (3, 5, 4) and (3, 7, 4)"}} {
			inputs := map[string]tensor.Shape{"a": tensor.MakeShape(3, c.a, 4), "b": tensor.MakeShape(3, c.b, 4)}
			if got := table.RefusedAt(inputs); got != c.want {
				t.Errorf("%s, %d and %d: %q, want %q", name, c.a, c.b, got, c.want)
			}
		}
	}
}
