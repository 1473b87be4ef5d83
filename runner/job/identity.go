package job

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/tfrun/tfrun/dataset"
	"github.com/tfrun/tfrun/internal/partfile"
	"github.com/tfrun/tfrun/runner"
	"github.com/tfrun/tfrun/runner/job/internal/source"
)

// identity returns what the bytes of a run's output depend on.
func (j Job) identity(p *runner.Predictor) (partfile.Identity, error) {
	o, session := p.Options(), p.Function().Session()
	load := session.Options()
	id := partfile.Identity{
		"heads":         fmt.Sprintf("%#v", o.Heads),
		"signature":     p.Function().Signature().Name,
		"outputs":       fmt.Sprintf("%q of %q", p.OutputNames(), o.Outputs),
		"tags":          session.MetaGraph().String(),
		"no batch":      fmt.Sprint(o.NoBatch),
		"batch size":    fmt.Sprint(o.BatchSize),
		"batching":      string(o.Batching),
		"token budget":  fmt.Sprint(o.MaxTokens),
		"window":        fmt.Sprint(o.Window, o.WindowMemory),
		"padding":       fmt.Sprint(o.PadTo, o.PaddedShapes, o.PaddingMayChangeResults),
		"skip bad rows": fmt.Sprint(o.SkipBadRows),
		"shard":         fmt.Sprintf("%d of %d", o.Shard, o.Shards),
		"columns":       fmt.Sprint(j.Source.Columns),
		"kept columns":  strings.Join(j.Source.Keep, ","),
		"text column":   j.Source.Text,
		"csv":           fmt.Sprint(j.Source.CSV.Header, j.Source.CSV.Comma, j.Source.CSV.Quote, j.Source.CSV.NoQuotes, j.Source.CSV.Comment, j.Source.CSV.Null),
		"input format":  j.Source.Format,
		"NaN as null":   fmt.Sprint(j.NullNaN),
		"wide, squeeze": strings.TrimSpace(string(j.Squeeze) + " " + string(j.Wide)),
		"xla":           string(cmp.Or(load.XLA, runner.XLAOff)),
		"optimizer":     string(cmp.Or(load.Optimizer, "auto")),
		"batch memory":  fmt.Sprint(o.Limits.BatchBytes),
		"limits":        fmt.Sprint(o.Limits.RowBytes, o.Limits.Depth, o.Limits.Elements, o.Limits.Length, o.Limits.Ratio),
		"device":        strings.SplitN(load.Device, ":", 2)[0],
	}
	if j.Source.Encoder != nil {
		id["vocabulary"] = j.Source.Vocabulary
	}
	if s := o.Sequences; !s.IsZero() {
		id["sequences"] = fmt.Sprint(s.PadSide, s.Truncate, s.MaxLen, s.Lengths, s.Masks)
		for name, v := range s.Set {
			text, err := runner.Value{Tensor: v}.AppendJSON(nil)
			if err != nil {
				return nil, err
			}
			id["set "+name] = string(text)
		}
	}
	for name, v := range o.Pad {
		text, err := dataset.AppendJSON(nil, v, nil)
		if err != nil {
			return nil, err
		}
		id["padding value of "+name] = string(text)
	}
	for name, v := range j.Source.Nulls {
		text, err := dataset.AppendJSON(nil, v, nil)
		if err != nil {
			return nil, err
		}
		id["null of "+name] = string(text)
	}
	if n := j.Source.Parts; n > 0 {
		id["part"] = fmt.Sprintf("%d of %d", j.Source.Part, n)
	}
	for _, f := range j.Source.Partition {
		id["partition column "+f.Key] = fmt.Sprintf("%s %s", f.AppendJSON(nil), f.Type)
	}
	for i, name := range j.Source.Files {
		if err := addFile(id, fmt.Sprintf("input %d", i+1), name); err != nil {
			return nil, err
		}
	}
	for i, name := range load.OpLibraries {
		if err := addFile(id, fmt.Sprintf("library of operations %d", i+1), name); err != nil {
			return nil, err
		}
	}
	sum, err := session.Digest()
	if err != nil {
		return nil, err
	}
	id["model"] = sum
	return id, nil
}

// addFile adds an entry of the given name that tells a file from others, and from itself once it
// was written anew.
func addFile(id partfile.Identity, entry, file string) error {
	if file == "-" {
		id[entry] = "standard input"
		return nil
	}
	info, err := source.Stat(file)
	if err != nil {
		return err
	}
	id[entry] = strings.TrimSpace(fmt.Sprintf("%s of %d bytes from %s %s", file, info.Size, info.Modified.Format(time.RFC3339Nano), info.ETag))
	return nil
}
