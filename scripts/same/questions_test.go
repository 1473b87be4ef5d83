package main

import (
	"encoding/json"
	"testing"
)

// TestRows cuts an example into the rows that predict is asked for.
func TestRows(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, inputs, whole, cut string }{
		{
			"two inputs", `{"x": {"shape": [2, 1, 2], "values": [1, 2, "NaN", 4]}, "a": {"shape": [2], "values": ["one", {"b64": "AA=="}]}}`,
			`{"a":["one",{"b64": "AA=="}],"x":[[[1,2]],[[NaN,4]]]}` + "\n",
			`{"a":"one","x":[[1,2]]}` + "\n" + `{"a":{"b64": "AA=="},"x":[[NaN,4]]}` + "\n",
		},
		{
			"unequal", `{"x": {"shape": [2], "values": [1, 2]}, "y": {"shape": [1], "values": [3]}}`,
			`{"x":[1,2],"y":[3]}` + "\n", "",
		},
		{"scalar", `{"x": {"shape": [], "values": [1]}}`, `{"x":1}` + "\n", ""},
		{"values left out", `{"x": {"shape": [5000], "count": 5000}}`, "", ""},
	} {
		e := example{}
		if err := json.Unmarshal([]byte(tt.inputs), &e.Inputs); err != nil {
			t.Fatal(err)
		}
		whole, cut := e.rows()
		if string(whole) != tt.whole || string(cut) != tt.cut {
			t.Errorf("%s: %q, %q; want %q, %q", tt.name, whole, cut, tt.whole, tt.cut)
		}
	}
}
