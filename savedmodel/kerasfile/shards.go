package kerasfile

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tfrun/tfrun/internal/regular"
)

// maxShards bounds into how many files the weights may be split.
const maxShards = 1 << 10

// openShards reads weights that lie in several files beside their index, m.weights.json for
// m_00000.weights.h5 and so on: one tree of the objects of all.
func (m *Model) openShards(index []byte) error {
	names, err := shardNames(index)
	if err != nil {
		return m.fail("", err)
	}
	var whole *weightTree
	for _, name := range names {
		path := filepath.Join(filepath.Dir(m.Path), name)
		f, size, err := regular.Open(path)
		if err != nil {
			return m.fail(name, withoutPath(err))
		}
		m.closers = append(m.closers, f)
		if err := m.readWeights(name, f, size); err != nil {
			return err
		}
		if whole == nil {
			whole = m.tree
			continue
		}
		if len(whole.all)+len(m.tree.all) > maxObjects {
			return m.fail("", fmt.Errorf("more than %d arrays", maxObjects))
		}
		whole.merge(m.tree)
	}
	for i := 1; i < len(whole.all); i++ {
		if key := whole.all[i].Key; key == whole.all[i-1].Key {
			return m.fail("", fmt.Errorf("%q is in more than one of its files", key))
		}
	}
	m.tree, m.sharded = whole, true
	return m.readKind()
}

// shardNames returns the files that an index of weights names, each once, in their order.
func shardNames(index []byte) ([]string, error) {
	text, err := checkJSON(index)
	if err != nil {
		return nil, err
	}
	var config struct {
		Files map[string]json.RawMessage `json:"weight_map"`
	}
	if err := json.Unmarshal(text, &config); err != nil || len(config.Files) == 0 {
		return nil, fmt.Errorf("no index of weights that lie in several files: %w", ErrNotKeras)
	}
	var names []string
	for path, value := range config.Files {
		var one string
		list := []string{}
		if json.Unmarshal(value, &one) == nil {
			list = append(list, one)
		} else if err := json.Unmarshal(value, &list); err != nil {
			return nil, fmt.Errorf("%q is in no list of files", path)
		}
		names = append(names, list...)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("an index that names no file: %w", ErrNotKeras)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	for _, name := range names {
		if name == "" || name == "." || name == ".." || strings.ContainsAny(name, `/\`) {
			return nil, fmt.Errorf("%q is no name of a file beside the index", name)
		}
	}
	if len(names) > maxShards {
		return nil, fmt.Errorf("more than %d files", maxShards)
	}
	return names, nil
}

// merge adds what another file has: objects of the same path are one.
func (t *weightTree) merge(u *weightTree) {
	t.root.merge(u.root)
	t.all = append(t.all, u.all...)
	slices.SortStableFunc(t.all, func(a, b *Variable) int { return compareKeys(a.Key, b.Key) })
	t.optimizer, t.odd, t.named = append(t.optimizer, u.optimizer...), append(t.odd, u.odd...), t.named || u.named
}

// merge adds the variables and the children of the same object in another file.
func (o *object) merge(p *object) {
	if o.name == "" {
		o.name = p.name
	}
	o.hasVars = o.hasVars || p.hasVars
	o.vars = append(o.vars, p.vars...)
	slices.SortStableFunc(o.vars, func(a, b *Variable) int { return compareKeys(a.Key, b.Key) })
	for _, name := range p.names {
		if child := o.children[name]; child != nil {
			child.merge(p.children[name])
			continue
		}
		o.children[name] = p.children[name]
		o.names = append(o.names, name)
	}
	slices.SortStableFunc(o.names, compareKeys)
}
