// Package sequence pads and cuts rows that are sequences, at either end, as Keras' pad_sequences
// does. It also makes the further inputs that some models want: lengths and masks.
package sequence
