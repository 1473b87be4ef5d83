package layers

// Reasons for marking a cell as a guess, for what an export does not hold. A cell is right, marked,
// or empty.

const (
	whyArguments  = "in which order a layer of one's own class takes its arguments does not show, nor whether it takes more than it uses"
	whyShared     = "the layer is called more than once, and which call came first does not show"
	whyOps        = "operations that are no layers stand here: one of keras.ops may leave several in the graph, which ones belong together does not show"
	whyNamed      = "it names a layer whose own name is a guess"
	whyNames      = "which of these names is whose is a guess"
	whyOrder      = "the order follows from connections that are guesses"
	whyPassed     = "nobody takes what the layer computes: it may give on what it takes, or compute nothing but a loss"
	whyOwnModel   = "of a model with a name of its own it does not show whether its class is, too: then Keras prints \"multiple\", or the shape of the first call, and no input"
	whyTwice      = "one tensor is taken twice: a layer that leaves nothing may stand between"
	whyOutputs    = "a signature lists the outputs by name, and their order decides on that of the inputs"
	whyNothing    = "what the layer takes does not show"
	whyPartial    = "results that nobody takes do not show, so which of them these are is a guess"
	whyOpened     = "a layer that keeps its state fixes the batch size of the whole model, which the export has opened here"
	whyStates     = "whether the layer returns states that nobody takes does not show"
	whyUnscored   = "whether the layer returns scores that nobody takes does not show"
	whyMore       = "whether a layer of one's own returns more than what is taken does not show"
	whyTwoResults = "whether these are several results or those of several calls does not show"
	whyHolds      = "parameters are counted as if the layer held another layer whose variables it reads, not the variables alone: "
	whyLists      = "attributes that are lists or dictionaries stand behind all others in the files: the rows are in the order of the calls"
	whyAttribute  = "rows stand in the order in which layers became attributes, which of a layer without variables does not show"
	whyResults    = "in which order a layer of one's own gives its results does not show"
	whyOwnShape   = "a layer of one's own may say more of its output's shape than the graph does"
	whyScores     = "Keras prints the length of the query for both axes of the scores"
	whyInner      = "the signature does more than call the model: what it gives the model and what it takes from it have no names"
	whySlash      = "a layer of Keras 2 may have a slash in its name: these may be several layers, NAME/…, and no layer that holds others"
	whySlashes    = "some names of this model have slashes in them; whether this is such a layer, or a part of one, does not show"
	whySoftmax    = "Keras prints the shape of the input, whatever a mask makes of it, and hands that on to the layers behind"
	whyEinsum     = "Keras prints no size for the axes that the layer's output_shape leaves open, and hands that on to the layers behind"
	whyCounts     = "where tokens are counted, Keras prints the axis of the texts too, and hands it on to the layers behind: (None, 1, …)"
)
