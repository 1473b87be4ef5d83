// Package shapes shows the contents of a SavedModel. [Describe] makes a [Document] of a model,
// which a [Format] writes: as text for a terminal, as JSON, as a page, or as a drawing of the
// layers. [Compare] returns the differences between two documents.
//
// # Trust
//
// Names in a model may be anything. Every format escapes them as its syntax needs, and control
// characters never reach a terminal.
package shapes
