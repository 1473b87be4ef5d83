package block

import (
	"context"
	"errors"
	"io"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/dataset/internal/ahead"
	"github.com/tfrun/tfrun/dataset/internal/columns"
	"github.com/tfrun/tfrun/dataset/internal/files"
)

// File is an open file of rows. A job J is first a run of its rows as the file has them, then their
// block.
type File[J any] interface {
	// Read fills a job, new or used before, with the next rows. It returns io.EOF, bare, after the
	// last.
	Read(j *J) error
	Close() error
}

// Files is a [Source] of the rows of files, one file after the other. One goroutine reads jobs,
// others make blocks of them, and the blocks come out in the order of the rows.
type Files[J any] struct {
	Names []string
	Open  func(name string) (File[J], error)
	// Workers is the number of goroutines that make blocks.
	Workers int
	// Work makes the block of a job that was read.
	Work func(j *J)
	// Block returns the block that Work has made, or Work's error. A block without rows is passed
	// over.
	Block func(j *J) (*Block, error)
	// Spare returns a job for the next read, made of the parts of a used job that its block does
	// not need any more. nil: no memory is used again.
	Spare func(j *J) *J

	keep bool
	pipe *ahead.Pipe[J]
	last *J // the job of the block returned last
	// file is the open file. It belongs to the reading goroutine.
	file File[J]
}

// Rows returns a dataset of the rows of files. open returns the files at the beginning of each
// iteration.
func Rows[J any](spec dataset.Spec, cardinality int64, open func() *Files[J]) *dataset.Dataset {
	return dataset.FromReader(spec, cardinality, func(o dataset.ReadOptions) (dataset.RowReader, error) {
		f := open()
		f.keep = o.Keep
		return NewReader(f, spec, o.Keep), nil
	})
}

// Look checks a file that can be read twice before the iteration: its columns and its first job.
// open opens it once more. Only errors of columns are returned; the iteration reports others.
func Look[J any](opener dataset.Opener, name string, open func(again dataset.Opener) (File[J], error)) error {
	return files.Look(opener, name, func(again dataset.Opener) error {
		f, err := open(again)
		if err != nil {
			return columns.Error(err)
		}
		return columns.Error(errors.Join(f.Read(new(J)), f.Close()))
	})
}

// Next returns the next block.
func (s *Files[J]) Next(ctx context.Context) (*Block, error) {
	if s.pipe == nil {
		s.pipe = ahead.Start(s.Workers, s.read, s.Work, s.stop)
	}
	for {
		s.release()
		j, err := s.pipe.Next(ctx)
		if err != nil {
			return nil, err
		}
		b, err := s.Block(j)
		if err != nil {
			return nil, err
		}
		s.last = j
		if b.Rows > 0 {
			return b, nil
		}
	}
}

// release hands back the memory of the block that was returned last.
func (s *Files[J]) release() {
	j := s.last
	s.last = nil
	if j != nil && s.keep {
		if s.Spare == nil {
			return
		}
		j = s.Spare(j)
	}
	if j != nil {
		s.pipe.Release(j)
	}
}

// read fills a job with the next rows of the files.
func (s *Files[J]) read(j *J) error {
	for {
		if s.file == nil {
			if len(s.Names) == 0 {
				return io.EOF
			}
			f, err := s.Open(s.Names[0])
			if err != nil {
				return err
			}
			s.file, s.Names = f, s.Names[1:]
		}
		err := s.file.Read(j)
		if err != io.EOF { //nolint:errorlint // files return it bare
			return err
		}
		f := s.file
		s.file = nil
		if err := f.Close(); err != nil {
			return err
		}
	}
}

// stop closes the file that is being read.
func (s *Files[J]) stop() {
	if s.file != nil {
		_ = s.file.Close() // nothing was written
		s.file = nil
	}
}

// Close ends the reading.
func (s *Files[J]) Close() {
	if s.pipe != nil {
		s.pipe.Close()
	}
}
