package csv

import (
	"strconv"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/tensor"
)

// cellType is the type that the cells of a column have, judged by their texts.
type cellType uint8

const (
	noCells cellType = iota
	boolCells
	intCells
	floatCells
	listCells
	textCells
)

// with returns the narrowest type that holds cells of both types.
func (t cellType) with(u cellType) cellType {
	switch {
	case t == noCells || u == noCells || t == u, t == intCells && u == floatCells, t == floatCells && u == intCells:
		return max(t, u)
	}
	return textCells
}

func typeOf(cell string) cellType {
	if cell == "" {
		return noCells
	}
	if _, err := strconv.ParseInt(cell, 10, 64); err == nil {
		return intCells
	}
	if _, ok := parseFloat([]byte(cell), 64); ok {
		return floatCells
	}
	if _, ok := parseBool([]byte(cell)); ok {
		return boolCells
	}
	if cell[0] == '[' && cell[len(cell)-1] == ']' {
		return listCells
	}
	return textCells
}

func (t cellType) column(name string) dataset.Column {
	scalar := tensor.MakeShape()
	switch t {
	case boolCells:
		return dataset.Column{Name: name, Type: "boolean", DType: tensor.Bool, Shape: scalar}
	case intCells:
		return dataset.Column{Name: name, Type: "integer", DType: tensor.Int64, Shape: scalar}
	case floatCells:
		return dataset.Column{Name: name, Type: "number", DType: tensor.Float64, Shape: scalar}
	case listCells:
		return dataset.Column{Name: name, Type: "list", DType: tensor.Float64}
	}
	return dataset.Column{Name: name, Type: "text", DType: tensor.String, Shape: scalar}
}
