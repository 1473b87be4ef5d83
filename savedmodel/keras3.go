package savedmodel

func (mg *MetaGraph) keras3Layers() (*LayerTable, error) { return nil, nil }
