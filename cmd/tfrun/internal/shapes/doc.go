// Package shapes shows what is inside a SavedModel. [Describe] makes a [Document] of a model; a
// [Format] writes it: as text for a terminal, as JSON, as a page, or as a drawing of the layers.
// [Compare] says what differs between two documents.
//
// # Trust
//
// Names in a model may be anything. Every format escapes them as its own syntax needs, and control
// characters never reach a terminal.
package shapes
