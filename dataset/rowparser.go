package dataset

// RowParser reads single rows of JSON, such as the bodies of requests, by the rules of [JSONL]. It
// is used by one goroutine at a time.
type RowParser struct{ d *rowDecoder }

// NewRowParser returns a parser of rows of the spec. Of the options it uses Keep, Keys, Nulls,
// MaxDepth, MaxValues and MaxLength.
func NewRowParser(spec Spec, opts JSONLOptions) (*RowParser, error) {
	d, err := newRowDecoder(spec, opts)
	if err != nil {
		return nil, err
	}
	d.arena.Keep = true
	return &RowParser{d: d}, nil
}

// Parse reads one row into new memory. An error is a *[SyntaxError] without file and line that
// names the field.
func (p *RowParser) Parse(text []byte) (Element, error) {
	var e Element
	err := p.d.decode(text, &e)
	if err == nil {
		return e, nil
	}
	return Element{}, &SyntaxError{Row: -1, Field: p.d.field, Msg: err.Error(), Err: causeOf(err)}
}
