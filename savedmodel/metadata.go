package savedmodel

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/tfrun/tfrun/internal/wire"
	"github.com/tfrun/tfrun/savedmodel/internal/pyjson"
	"google.golang.org/protobuf/encoding/protowire"
)

// Field numbers of Keras 2's saved_metadata.proto.
const (
	fieldMetadataNodes = 1 // SavedMetadata

	fieldObjectID       = 2 // SavedObject of the metadata
	fieldObjectPath     = 3
	fieldObjectKind     = 4
	fieldObjectMetadata = 5
)

// KerasMetadata holds what Keras 2 wrote about its objects, by their number in the object graph.
// Object 0 is the model.
type KerasMetadata map[int]*KerasObject

// KerasObject is the metadata of one layer or model. Only the parts that are used here are decoded.
type KerasObject struct {
	Path       string // "root.layer-1"
	Identifier string // "_tf_keras_layer"

	Name      string          `json:"name"`
	ClassName string          `json:"class_name"`
	Config    json.RawMessage `json:"config"`
	Trainable *bool           `json:"trainable"`
	BuildArg  json.RawMessage `json:"build_input_shape"`

	// Text is all that was written, as JSON with the numbers that Python adds to it.
	Text []byte `json:"-"`
}

// maxMetadataValues bounds the values in an object's metadata, which take a hundred times the
// memory that their text does. Ten thousand layers have some 300,000.
const maxMetadataValues = 1 << 20

// tooManyValues reports whether a text of JSON has more than [maxMetadataValues] values. It counts
// the characters that stand before values.
func tooManyValues(text []byte) bool {
	return bytes.Count(text, []byte(","))+bytes.Count(text, []byte("["))+bytes.Count(text, []byte("{")) > maxMetadataValues
}

// readMetadata reads keras_metadata.pb. A model without one gives nil and no error.
func (m *Model) readMetadata() (KerasMetadata, error) {
	path := filepath.Join(m.Dir, fileMetadata)
	data, err := m.read(fileMetadata, m.AllowLinks, maxMetadata, func(head []byte) error { return sniff(path, head, true) })
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return parseMetadata(path, data)
}

// parseMetadata decodes a SavedMetadata message. There is no generated code for it in the
// TensorFlow binding: it is Keras' own.
func parseMetadata(path string, data []byte) (KerasMetadata, error) {
	meta := KerasMetadata{}
	err := wire.Each(data, func(f wire.Field) error {
		if f.Num != fieldMetadataNodes || f.Type != protowire.BytesType {
			return &FormatError{File: path, Msg: "is not Keras metadata: no such field in its protobuf message", Offset: int64(f.Offset)}
		}
		id, obj, err := parseMetadataNode(path, f.Data)
		if err != nil {
			return err
		}
		meta[id] = obj
		return nil
	})
	var fe *FormatError
	if err != nil && !errors.As(err, &fe) {
		return nil, formatError(path, "is damaged: %v", err)
	}
	if err != nil {
		return nil, err
	}
	return meta, nil
}

// parseMetadataNode reads a SavedObject of keras_metadata.pb: its number among the objects, and
// what it says.
func parseMetadataNode(path string, node []byte) (int, *KerasObject, error) {
	obj := &KerasObject{}
	id := 0
	var text []byte
	err := wire.Each(node, func(f wire.Field) error {
		switch f.Num {
		case fieldObjectID:
			id = int(f.N)
		case fieldObjectPath:
			obj.Path = string(f.Data)
		case fieldObjectKind:
			obj.Identifier = string(f.Data)
		case fieldObjectMetadata:
			text = f.Data
		}
		return nil
	})
	if err != nil {
		return 0, nil, err
	}
	if tooManyValues(text) {
		return 0, nil, formatError(path, "the metadata of %s has more than %d values", obj.Path, maxMetadataValues)
	}
	if err := obj.decode(text); err != nil {
		return 0, nil, formatError(path, "the metadata of %s is damaged: %v", obj.Path, err)
	}
	return id, obj, nil
}

// decode reads the text of an object's metadata.
func (o *KerasObject) decode(text []byte) error {
	o.Text = text
	return json.Unmarshal(pyjson.Plain(text), o)
}

// legacyMetadata reads what releases up to TensorFlow 2.4 kept in the object graph instead of in
// keras_metadata.pb. Beside an error it returns what else there is.
func (m *Model) legacyMetadata(objs *ObjectGraph) (meta KerasMetadata, err error) {
	meta = KerasMetadata{}
	for id, obj := range objs.Nodes {
		user := obj.GetUserObject()
		//lint:ignore SA1019 deprecated for writers; old models have nothing else
		text := user.GetMetadata()
		if text == "" || !strings.HasPrefix(user.GetIdentifier(), "_tf_keras") {
			continue
		}
		o := &KerasObject{Identifier: user.GetIdentifier()}
		if tooManyValues([]byte(text)) {
			err = formatError(m.File, "the metadata of object %d has more than %d values", id, maxMetadataValues)
		} else if bad := o.decode([]byte(text)); bad != nil {
			err = formatError(m.File, "the metadata of object %d is damaged: %v", id, bad)
		} else {
			meta[id] = o
		}
	}
	return meta, err
}
