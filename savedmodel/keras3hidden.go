package savedmodel

// findHidden adds the layers that compute nothing when a model predicts.
func (k *keras3) findHidden() {}
