// Package body finds the function that does a signature's work, without the wrappers around it, and
// says which of its arguments are the signature's inputs and which are the model's variables.
package body
