package layers

import (
	"slices"
	"strings"

	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/savedmodel"
	"github.com/tfrun/tfrun/savedmodel/internal/body"
	"github.com/tfrun/tfrun/savedmodel/internal/kerasnames"
	"github.com/tfrun/tfrun/savedmodel/layers/internal/scopes"
	"github.com/tfrun/tfrun/tensor"
)

// exportedLayers rebuilds the layer table of an export from the name scopes of its serving function
// and the variables. nil: there is nothing to go by.
func exportedLayers(mg *savedmodel.MetaGraph) (*Table, error) {
	objs, err := mg.Objects()
	if err != nil {
		return nil, err
	}
	sig, err := tableSignature(mg)
	if err != nil {
		return nil, nil //nolint:nilerr // without a signature nothing shows the layers
	}
	b, err := body.Of(mg, sig)
	if b == nil || err != nil {
		return nil, err
	}
	k := &keras3{
		mg: mg, objs: objs, body: b, table: &Table{Signature: sig.Name, body: b}, opens: 2,
		trainable: map[*savedmodel.Variable]bool{}, byName: map[string]*layerCalls{}, owner: map[*savedmodel.Variable]*layerCalls{},
		inputRows: map[int]*Layer{}, made: map[*layerCalls]*Layer{}, phantoms: map[*graph.Node]tensor.Shape{}, numbers: map[string]int{}, unread: map[*layerCalls]int{}, cut: new(int),
	}
	if mg.Framework == savedmodel.Keras2 {
		k.opens = 1
	}
	k.findObjects()
	k.scope = scopes.Of(b, slashedNames(mg, objs), k.ownClass())
	if len(k.scope.Calls) == 0 || len(k.scope.Calls) > maxCalls || len(objs.Variables) > maxVariables || slices.ContainsFunc(k.scope.Calls, tooWide) {
		return nil, nil
	}
	k.listVariables()
	k.nameModel()
	k.collect()
	k.assignVariables()
	k.splitNamesakes()
	k.addUncalled()
	k.classify()
	k.adoptVariables()
	k.findHidden()
	k.rows()
	k.doubtRows()
	k.noteExport()
	k.table.steps = k.addSteps(k.made)
	return k.table, nil
}

// tooWide reports whether a call takes or gives more than a layer does.
func tooWide(c *scopes.Call) bool { return len(c.Ins) > maxInputs || len(c.Outs) > maxResults }

// rows fills in the table.
func (k *keras3) rows() {
	if !k.isGraph() {
		k.stackRows()
		return
	}
	k.table.ModelClass = "Functional"
	k.graphRows()
}

// noteExport says what an export loses of every model, and takes back guesses about a column that
// is not there.
func (k *keras3) noteExport() {
	for _, r := range k.table.Layers {
		if !k.table.Connected {
			r.unguess("connected_to")
		}
	}
	if k.opensBatch() {
		k.table.Lost = append(k.table.Lost, lostBatch)
		k.markOpened()
	}
	if ownSignature(k.body) {
		markOwnSignature(k.table.Layers)
	}
	k.table.Lost = append(k.table.Lost, lostNothing)
}

// markOpened marks shapes with an open batch axis where a recurrent layer fixes the batch: it keeps
// its state, for which all of the model has the one size, whatever the export has opened.
func (k *keras3) markOpened() {
	batch := func(r *Layer) int64 {
		if s := r.Output.First(); s.Rank() > 0 {
			return s.Dim(0)
		}
		return tensor.Unknown
	}
	if !slices.ContainsFunc(k.table.Layers, func(r *Layer) bool { return isRecurrent(r.Class) && batch(r) != tensor.Unknown }) {
		return
	}
	for _, r := range k.table.Layers {
		if batch(r) == tensor.Unknown {
			r.guess("output_shape", whyOpened)
		}
	}
}

// signatureFunctions are the functions that Keras makes of a model for its signature, when it saves
// or exports it.
var signatureFunctions = map[string]bool{"_wrapped_model": true, "serving_default": true, "__call__": true}

// ownSignature reports whether the signature is a function of one's own that calls the model, as
// those with a batch size for TensorFlow Lite are.
func ownSignature(b *body.Body) bool {
	name, traced := strings.CutPrefix(b.Name, "__inference_")
	return traced && !signatureFunctions[kerasnames.WithoutNumber(name)]
}

// markOwnSignature marks what the arguments of such a function need not have from the model: the
// names of its inputs, and sizes, but for those of last axes, which weights fix.
func markOwnSignature(rows []*Layer) {
	for _, r := range rows {
		if r.Class == "InputLayer" {
			r.guess("name", whyOwnSignature)
		}
		fixed := func(s tensor.Shape) bool { return s.Rank() > 0 && openSizes([]tensor.Shape{s}) < s.Rank()-1 }
		if slices.ContainsFunc(r.Output.Shapes, fixed) {
			r.guess("output_shape", whyOwnSignature)
		}
		markOwnSignature(r.Layers)
	}
}

// What exports lose of every model.
const (
	lostBatch   = "an export leaves the batch axis open, also where the model fixes it"
	lostNothing = "what leaves nothing in these files is not here: a layer that computes nothing, such as a linear Activation, has no row, and connections pass it by"
)
