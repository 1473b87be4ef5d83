// Package pyjson reads JSON as Python's json module does, which Keras' files are written and read
// with. It takes NaN and infinities, and numbers of any size.
package pyjson

import (
	"bytes"
	"encoding/json"
)

// literals are the numbers that Python writes and JSON does not have.
var literals = [][]byte{[]byte("NaN"), []byte("-Infinity"), []byte("Infinity")}

// Plain returns the text with null in the place of NaN and of infinities. It is the text itself
// where there are none, which need not be JSON.
func Plain(text []byte) []byte {
	var out []byte
	done := 0 // what of the text is in out
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i = endOfString(text, i)
		case 'N', 'I', '-':
			for _, l := range literals {
				if bytes.HasPrefix(text[i:], l) {
					out = append(append(out, text[done:i]...), "null"...)
					i += len(l) - 1
					done = i + 1
					break
				}
			}
		}
	}
	if done == 0 {
		return text
	}
	return append(out, text[done:]...)
}

// endOfString returns the index of the quote that ends the string that begins at i.
func endOfString(text []byte, i int) int {
	for i++; i < len(text) && text[i] != '"'; i++ {
		if text[i] == '\\' {
			i++
		}
	}
	return i
}

// Decode decodes a text into maps, lists, strings, truth values and json.Numbers. Of a key that
// stands twice the last value counts, as in Python; keys that differ in their case are two.
func Decode(text []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(Plain(text)))
	d.UseNumber()
	err = d.Decode(&v)
	return v, err
}
