package layers

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/internal/body"
	"github.com/tfrun/tfrun/savedmodel/layers/internal/rules"
	"github.com/tfrun/tfrun/tensor"
)

// Table holds what Keras' model.summary() prints of a model, rebuilt from the model's files.
type Table struct {
	ModelName string // "" when the files do not say
	// "Sequential", "Functional", a class of one's own; "" when the files do not say
	ModelClass string
	// Connected says that Keras prints the column of connections: the layers form no simple chain.
	Connected bool
	Layers    []*Layer // in the summary's order
	Totals    Totals
	// Notes say what stood in the way of reading more, such as damaged metadata.
	Notes []string
	// Lost says what files of this kind lose of every model: it qualifies the whole table.
	Lost []string
	// Signature is the one whose function was looked at, "" when none was.
	Signature string
	// Takes and Gives are the inputs and outputs of a model in one of Keras' own files, by the
	// names of the layers: such a file has no signatures.
	Takes, Gives []Port

	steps []*step    // the calls, in an order in which they can be computed
	body  *body.Body // the function that makes them; nil where no graph does
}

// Port is an input or an output of a model.
type Port struct {
	Name  string // of the layer; "split[0][1]" where several outputs are one layer's
	DType tensor.DType
	Shape tensor.Shape

	key tensorKey
}

// Totals are the parameters of a whole model. Each variable is counted once, however many layers
// share it.
type Totals struct {
	Total, Trainable, NonTrainable                int64
	TotalBytes, TrainableBytes, NonTrainableBytes int64
	// Optimizer counts what an optimizer keeps in one of Keras' own files. It is not in the total,
	// to which Keras 3 adds it.
	Optimizer, OptimizerBytes int64
	// Guessed says that none of these numbers but the optimizer's is certain; the notes say why.
	Guessed bool
	// TrainableGuessed says that the file does not hold which variables training changes, and they
	// are counted as most layers have it.
	TrainableGuessed bool
}

// Layer is one row of a summary.
type Layer struct {
	Name   string
	Class  string
	Output OutputShape
	Params int64
	// TrainableParams of Params are changed by training.
	TrainableParams int64
	Bytes           int64 // of all parameters
	// ConnectedTo names the tensors that the layer is called with, as Keras prints them:
	// "layer[call][tensor]".
	ConnectedTo []string
	// Guessed names the fields that the files make likely but do not hold: "name", "class",
	// "output_shape", "params", "connected_to", "trainable_params", "order" (the row's place).
	Guessed []string
	// Why has a sentence for each dimension of the output, then what else is to be said: the
	// formula of the parameters, and the reason for each guess and each unknown.
	Why []string
	// Weights are the variables below the layer.
	Weights []Weight
	// Layers are the rows of a nested model.
	Layers []*Layer

	info layerInfo
}

// Weight is a variable of a layer.
type Weight struct {
	Name      string
	DType     tensor.DType
	Shape     tensor.Shape
	Trainable bool
}

// OutputShape is the column of that name: one shape, several, or one of Keras' own words.
type OutputShape struct {
	Shapes []tensor.Shape
	Word   string // "multiple" or "?", where Keras prints that
}

// oneShape returns the OutputShape of a single tensor.
func oneShape(s tensor.Shape) OutputShape { return OutputShape{Shapes: []tensor.Shape{s}} }

// known reports whether anything is known.
func (o OutputShape) known() bool { return o.Word != "" || len(o.Shapes) > 0 }

// First returns the first of the shapes, of unknown rank when there is none.
func (o OutputShape) First() tensor.Shape {
	if len(o.Shapes) == 0 {
		return tensor.UnknownShape()
	}
	return o.Shapes[0]
}

// equal reports whether both would print alike.
func (o OutputShape) equal(p OutputShape) bool {
	if o.Word != p.Word || len(o.Shapes) != len(p.Shapes) {
		return false
	}
	for i := range o.Shapes {
		if !o.Shapes[i].Equal(p.Shapes[i]) {
			return false
		}
	}
	return true
}

// String writes the shapes as Keras does: "(None, 64)", "[(None, 4), (None, 4)]", "multiple".
func (o OutputShape) String() string {
	switch {
	case o.Word != "":
		return o.Word
	case len(o.Shapes) == 0:
		return "<unknown>"
	case len(o.Shapes) == 1:
		return o.Shapes[0].String()
	}
	texts := make([]string, len(o.Shapes))
	for i, s := range o.Shapes {
		texts[i] = s.String()
	}
	return "[" + strings.Join(texts, ", ") + "]"
}

// MarshalJSON writes a list of sizes, a list of such lists, a word, or null.
func (o OutputShape) MarshalJSON() ([]byte, error) {
	switch {
	case o.Word != "":
		return json.Marshal(o.Word)
	case len(o.Shapes) == 0:
		return []byte("null"), nil
	case len(o.Shapes) == 1:
		return json.Marshal(o.Shapes[0])
	}
	return json.Marshal(o.Shapes)
}

// UnmarshalJSON reads what [OutputShape.MarshalJSON] writes.
func (o *OutputShape) UnmarshalJSON(data []byte) error {
	*o = OutputShape{}
	data = bytes.TrimSpace(data)
	if bytes.HasPrefix(data, []byte(`"`)) {
		return json.Unmarshal(data, &o.Word)
	}
	var list []json.RawMessage
	if err := json.Unmarshal(data, &list); err != nil || list == nil {
		return err
	}
	if len(list) > 0 && bytes.HasPrefix(bytes.TrimSpace(list[0]), []byte("[")) {
		return json.Unmarshal(data, &o.Shapes)
	}
	var s tensor.Shape
	if err := json.Unmarshal(data, &s); err != nil {
		return err
	}
	o.Shapes = []tensor.Shape{s}
	return nil
}

// guess marks a field as likely but not held by the files, and says why.
func (l *Layer) guess(field, why string) {
	for _, f := range l.Guessed {
		if f == field {
			return
		}
	}
	l.Guessed = append(l.Guessed, field)
	if l.info.reasons == nil {
		l.info.reasons = map[string]string{}
	}
	l.info.reasons[field] = why
	if !slices.Contains(l.info.notes, why) {
		l.info.notes = append(l.info.notes, why)
	}
}

// unguess takes a mark back, and its reason where no other mark has the same.
func (l *Layer) unguess(field string) {
	why, marked := l.info.reasons[field]
	if !marked {
		return
	}
	delete(l.info.reasons, field)
	l.Guessed = slices.DeleteFunc(l.Guessed, func(f string) bool { return f == field })
	for _, other := range l.info.reasons {
		if other == why {
			return
		}
	}
	l.info.notes = slices.DeleteFunc(l.info.notes, func(n string) bool { return n == why })
}

// Reason returns why a field is marked as a guess, "" where it is not.
func (l *Layer) Reason(field string) string {
	if why, ok := l.info.reasons[field]; ok {
		return why
	}
	// the reasons of a part of one of Keras' own files stand last, one for each mark
	i, reasons := slices.Index(l.Guessed, field), l.Why[max(0, len(l.Why)-len(l.Guessed)):]
	if i < 0 || i >= len(reasons) {
		return ""
	}
	return reasons[i]
}

// note adds a reason for what is not known.
func (l *Layer) note(why string) { l.info.notes = append(l.info.notes, why) }

// setWeights fills in what follows from the layer's variables.
func (l *Layer) setWeights(vars []*savedmodel.Variable, trainable func(*savedmodel.Variable) bool) {
	for _, v := range vars {
		l.Weights = append(l.Weights, Weight{v.Name, v.DType, v.Shape, trainable(v)})
		l.Params += v.Size()
		l.Bytes += v.Bytes()
		if trainable(v) {
			l.TrainableParams += v.Size()
		}
	}
}

// add counts a variable.
func (t *Totals) add(v *savedmodel.Variable, trainable bool) {
	t.Total += v.Size()
	t.TotalBytes += v.Bytes()
	if trainable {
		t.Trainable += v.Size()
		t.TrainableBytes += v.Bytes()
	} else {
		t.NonTrainable += v.Size()
		t.NonTrainableBytes += v.Bytes()
	}
}

// layerInfo is what is known of a layer beyond its row, for explanations.
type layerInfo struct {
	config rules.Config   // Keras 2's, or what the graph shows of it
	in     []tensor.Shape // what the layer's last call takes
	shape  OutputShape    // where Keras prints a word in its place
	notes  []string       // reasons for guesses and unknowns
	// reasons has the one of each guess, by the field
	reasons map[string]string
	// partial says that the output's shapes are those that others take, and there may be more
	partial bool
}

// tensorKey identifies a tensor between layers: a [ref] of the function, or an [inbound] of a
// config.
type tensorKey any

// step is one call of a layer in the order in which a model can be computed.
type step struct {
	layer  *Layer // nil for the inside of a nested model
	class  string
	config rules.Config
	input  string // the signature's name, when the step is an input
	in     []tensorKey
	out    []tensorKey
	shapes []tensor.Shape // of out, with open dimensions
	// tensors are the names that out has in the function, where they are known.
	tensors []string
	dtypes  []tensor.DType // of out
	// eval computes the outputs where neither the class's rule nor the steps of a nested model do.
	eval func(in []tensor.Shape, k *keras2) ([]tensor.Shape, bool)
	// inner says that the steps before have computed the outputs.
	inner bool
}

// dtype returns the type of output i; float32 where it is not known.
func (s *step) dtype(i int) tensor.DType {
	if i < len(s.dtypes) && s.dtypes[i] != tensor.Invalid {
		return s.dtypes[i].Base()
	}
	return tensor.Float32
}
