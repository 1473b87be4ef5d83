package pyjson

import (
	"encoding/json"
	"fmt"
	"testing"
)

// TestDecode decodes what Python's json module decodes and Go's does not, or differently.
func TestDecode(t *testing.T) {
	for text, want := range map[string]string{
		`[NaN, Infinity, -Infinity, -1]`:         "[<nil> <nil> <nil> -1]",
		`{"a": NaN}`:                             "map[a:<nil>]",
		`["NaN", "\"Infinity", "\\", -Infinity]`: `[NaN "Infinity \ <nil>]`,
		`[1e999, 1` + "0000000000000000000000]":  "[1e999 10000000000000000000000]",
		`{"a": 1, "A": 2, "a": 3}`:               "map[A:2 a:3]",
		` null `:                                 "<nil>",
	} {
		v, err := Decode([]byte(text))
		if got := fmt.Sprint(v); err != nil || got != want {
			t.Errorf("Decode(%s) = %s, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{`NaNa`, `[-]`, `"NaN`, `{NaN: 1}`, `["\`, ``} {
		if v, err := Decode([]byte(text)); err == nil && json.Valid([]byte(text)) {
			t.Errorf("Decode(%s) = %v", text, v)
		}
	}
}

// FuzzPlain holds that JSON stays what it is.
func FuzzPlain(f *testing.F) {
	f.Add([]byte(`{"NaN": ["-Infinity\\", -1, "\""]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if plain := Plain(text); json.Valid(text) && string(plain) != string(text) {
			t.Errorf("Plain(%s) = %s", text, plain)
		}
	})
}
