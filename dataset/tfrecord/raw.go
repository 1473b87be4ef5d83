package tfrecord

import (
	"context"
	"errors"
	"io"
	"slices"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/tensor"
)

// Records returns a dataset of the files' records as they are, each a scalar string:
// tf.data.TFRecordDataset. Of the options it uses Open and MaxRecord. A record whose checksum is
// wrong is a *[dataset.SyntaxError], after which the iteration may go on.
func Records(o Options, names ...string) *dataset.Dataset {
	if o.MaxRecord <= 0 {
		o.MaxRecord = dataset.DefaultRowBytes
	}
	return dataset.FromReader(dataset.TensorSpec(tensor.String), dataset.UnknownCardinality, func(dataset.ReadOptions) (dataset.RowReader, error) {
		return &rawReader{o: o, names: slices.Clone(names)}, nil
	})
}

type rawReader struct {
	o     Options
	names []string
	file  *records
	buf   []byte
	row   int64
}

// Next sets e to the next record.
func (r *rawReader) Next(ctx context.Context, e *dataset.Element) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if r.file == nil {
			if len(r.names) == 0 {
				return io.EOF
			}
			f, err := openRecords(r.o.Open, r.names[0], r.o.MaxRecord)
			if err != nil {
				return err
			}
			r.file, r.names = f, r.names[1:]
		}
		var err error
		r.buf, err = r.file.next(r.buf[:0])
		switch {
		case errors.Is(err, io.EOF):
			r.Close()
			continue
		case err == nil:
			e.Row, e.Place = r.row, dataset.Place{File: r.file.name, Row: r.file.n}
			r.row++
			e.Tensors = append(e.Tensors, tensor.Scalar(string(r.buf)))
			return nil
		case errors.Is(err, errChecksum):
			r.row++
			return &dataset.SyntaxError{File: r.file.name, Row: r.row - 1, FileRow: r.file.n, Msg: err.Error(), Err: err}
		}
		return err
	}
}

// Close closes the file that is being read.
func (r *rawReader) Close() {
	if r.file != nil {
		_ = r.file.close() // nothing was written
		r.file = nil
	}
}
