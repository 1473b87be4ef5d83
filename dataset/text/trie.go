package text

// trie is a set of strings. It finds the longest one that a text begins with.
type trie struct {
	root  [256]int32 // index of the node for a first byte, 0: none
	nodes []trieNode
}

type trieNode struct {
	id   int32 // of the string that ends here, -1: none
	next []trieEdge
}

type trieEdge struct {
	b    byte
	node int32
}

// Node 0 stands for no node.
func newTrie() *trie { return &trie{nodes: make([]trieNode, 1)} }

// add puts s, not empty, into the set. A string that is in it already gets the new id.
func (t *trie) add(s string, id int32) {
	n := t.root[s[0]]
	if n == 0 {
		n = t.newNode()
		t.root[s[0]] = n
	}
	for i := 1; i < len(s); i++ {
		next := t.step(n, s[i])
		if next == 0 {
			next = t.newNode()
			t.nodes[n].next = append(t.nodes[n].next, trieEdge{s[i], next})
		}
		n = next
	}
	t.nodes[n].id = id
}

func (t *trie) newNode() int32 {
	t.nodes = append(t.nodes, trieNode{id: -1})
	return int32(len(t.nodes) - 1)
}

func (t *trie) step(n int32, b byte) int32 {
	for _, e := range t.nodes[n].next {
		if e.b == b {
			return e.node
		}
	}
	return 0
}

// longest returns the id and the length of the longest string of the set that s begins with; a
// length of 0 if there is none.
func longest[S string | []byte](t *trie, s S) (id int32, length int) {
	if len(s) == 0 {
		return -1, 0
	}
	n := t.root[s[0]]
	for i := 1; n != 0; i++ {
		if t.nodes[n].id >= 0 {
			id, length = t.nodes[n].id, i
		}
		if i == len(s) {
			break
		}
		n = t.step(n, s[i])
	}
	return id, length
}
