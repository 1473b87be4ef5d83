// Command score runs rows of JSON, a line each, through a model on any runner of Apache Beam, and
// writes a line for each row:
//
//	score -model /models/m -input 'rows-*.jsonl' -output scores.jsonl
//	score … -runner universal -endpoint localhost:8099 …
//
// A row has the model's inputs and an id, {"id": "a7", "features": [0.5, 1]}; its line of the
// results is {"id":"a7","score":0.25}, of a model with one number out. Rows without a result go to
// FILE.bad, beside the output.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"math"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	_ "github.com/apache/beam/sdks/v2/go/pkg/beam/io/filesystem/local"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/io/textio"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/register"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/x/beamx"

	"github.com/tfrun/tfrun/beam/tfrunbeam"
)

func init() {
	register.Function1x2(keyed)
	register.Function2x1(scored)
	register.Function2x1(refused)
}

// keyed returns the id of a row, as JSON, and the row. One that is no object has no id; Predict
// says what is wrong with it.
func keyed(line string) (id, row string) {
	var named struct {
		ID json.RawMessage `json:"id"`
	}
	if err := json.Unmarshal([]byte(line), &named); err != nil || named.ID == nil {
		return "null", line
	}
	return string(named.ID), line
}

func scored(id string, score float32) string {
	if f := float64(score); math.IsNaN(f) || math.IsInf(f, 0) { // which are no JSON
		return fmt.Sprintf(`{"id":%s,"score":null}`, id)
	}
	return fmt.Sprintf(`{"id":%s,"score":%v}`, id, score)
}

func refused(id string, bad tfrunbeam.Bad) string {
	text, _ := json.Marshal(bad) // strings alone
	return fmt.Sprintf(`{"id":%s,"bad":%s}`, id, text)
}

func main() {
	model := flag.String("model", "", "folder of the SavedModel, the same on each worker")
	input := flag.String("input", "", "files of rows, a pattern")
	output := flag.String("output", "", "file of results")
	flag.Parse()
	beam.Init()
	p, s := beam.NewPipelineWithRoot()
	build(s, *model, *input, *output)
	if err := beamx.Run(context.Background(), p); err != nil {
		log.Fatal(err)
	}
}

// build makes the pipeline.
func build(s beam.Scope, model, input, output string) {
	rows := beam.ParDo(s, keyed, beam.Reshuffle(s, textio.Read(s, input)))
	results, bad := tfrunbeam.Predict[float32](s, model, tfrunbeam.Options{}, rows)
	textio.Write(s, output, beam.ParDo(s, scored, results))
	textio.Write(s, output+".bad", beam.ParDo(s, refused, bad))
}
