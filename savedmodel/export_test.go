package savedmodel

// What the tests of whole models, which use all packages that describe one, need of this one.
const (
	FileBinary      = fileBinary
	FileMetadata    = fileMetadata
	FileText        = fileText
	FileFingerprint = fileFingerprint
	AnonymousName   = anonymousName
)

var (
	NewModel      = newModel
	ParseMetadata = parseMetadata
	TextToBinary  = textToBinary
	AddFiles      = addFiles
	FuzzModels    = fuzzModels
)

// SetMetadata has the model answer with Keras metadata that no file holds.
func (m *Model) SetMetadata(meta KerasMetadata, err error) {
	m.metadata = func() (KerasMetadata, error) { return meta, err }
}
