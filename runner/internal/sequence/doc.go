// Package sequence brings rows that are sequences to a length: it pads and cuts them at either end,
// as pad_sequences of Keras does, and makes the inputs that models want beside them, lengths and
// masks.
package sequence
