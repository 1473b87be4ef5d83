package ops

import "strings"

// Family is a library of operations that does not belong to TensorFlow.
type Family struct {
	Name    string // "TensorFlow Text"
	Package string // the Python package that has the library; "" if none has
}

// String returns the family's name, and where to get the library.
func (f Family) String() string {
	if f.Package == "" {
		return f.Name
	}
	return f.Name + " (pip install " + f.Package + ")"
}

var (
	tfText  = Family{"TensorFlow Text", "tensorflow-text"}
	tfDF    = Family{"TensorFlow Decision Forests", "tensorflow-decision-forests"}
	tfIO    = Family{"TensorFlow I/O", "tensorflow-io"}
	tfRA    = Family{"TensorFlow Recommenders Addons", "tensorflow-recommenders-addons"}
	addons  = Family{"TensorFlow Addons", "tensorflow-addons"}
	structs = Family{"Struct2Tensor", "struct2tensor"}
)

// families are recognised by the beginnings of operations' names. A longer beginning comes before a
// shorter one.
var families = []struct {
	prefix string
	family Family
}{
	{"TFText>", tfText},
	{"Sentencepiece", Family{"SentencePiece, in TensorFlow Text", "tensorflow-text"}},
	{"Wordpiece", tfText},
	{"FastWordpiece", tfText},
	{"FastBertNormalize", tfText},
	{"FastSentencepiece", tfText},
	{"WhitespaceTokenize", tfText},
	{"UnicodeScriptTokenize", tfText},
	{"RegexSplit", tfText},
	{"CaseFoldUTF8", tfText},
	{"NormalizeUTF8", tfText},
	{"FindSourceOffsets", tfText},
	{"SplitMerge", tfText},
	{"SentenceFragments", tfText},
	{"Phrase", tfText},
	{"ByteSplit", tfText},
	{"UTF8Binarize", tfText},
	{"RougeL", tfText},
	{"ConstrainedSequence", tfText},
	{"MaxSpanningTree", tfText},
	{"SimpleML", tfDF},
	{"Addons>", addons},
	{"IO>", tfIO},
	{"TFRA>", tfRA},
	{"EquiJoin", structs},
	{"DecodeProtoSparse", structs},
	{"RunLengthGatherIndices", structs},
	{"Tfc", Family{"TensorFlow Compression", "tensorflow-compression"}},
	{"Horovod", Family{"Horovod", "horovod"}},
	{"Neuron", Family{"AWS Neuron", "tensorflow-neuron"}},
	{"Reverb", Family{"Reverb", "dm-reverb"}},
}

// FamilyOf guesses the library of an operation that is not in the table, from its name. ok is false
// for most names. For example, "SentencepieceOp" belongs to TensorFlow Text.
func FamilyOf(op string) (f Family, ok bool) {
	for _, c := range families {
		if strings.HasPrefix(op, c.prefix) {
			return c.family, true
		}
	}
	return Family{}, false
}
