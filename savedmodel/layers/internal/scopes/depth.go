package scopes

import (
	"regexp"
	"slices"
	"strings"

	"github.com/tfrun/tfrun/internal/graph"
	"github.com/tfrun/tfrun/savedmodel/internal/body"
	"github.com/tfrun/tfrun/savedmodel/internal/kerasnames"
)

// partOfLayer matches scopes that layers open within their own.
var partOfLayer = regexp.MustCompile(`^(?:[A-Z].*|.*_cell|forward_.*|backward_.*|query|key|value|attention_output|batchnorm|moments|while|convolution|conv_transpose|separable_conv2d|depthwise)(?:_\d+)?$`)

// modelDepth returns 1 where the first part of the nodes' names is the scope of the model, and 0
// where it is that of a layer. The names of the variables that nodes read decide: they hold the
// layer's name too.
func modelDepth(b *body.Body, nodes []*graph.Node) int {
	votes, deep := 0, false
	// the scopes within the first that read variables, and look like layers
	readers := map[string]bool{}
	first := ""
	for _, n := range nodes {
		if first == "" {
			first = n.Parts[0]
		}
		if n.Parts[0] != first {
			return 0
		}
		deep = deep || len(n.Parts) > 2
		for _, in := range n.Inputs {
			i, ok := in.IsArg()
			if v := b.Variables[i]; ok && v != nil {
				if len(n.Parts) > 2 && !partOfLayer.MatchString(n.Parts[1]) {
					readers[n.Parts[1]] = true
				}
				votes += depthVote(n.Parts[:len(n.Parts)-1], strings.Split(v.Name, "/"))
			}
		}
	}
	if votes > 0 || votes == 0 && deep || len(readers) > 1 || holdsLayer(nodes) {
		return 1
	}
	return 0
}

// holdsLayer reports whether all nodes that do work stand in a scope with the default name of a
// layer, within a scope with no such name. So does a model of the user's own class with one layer,
// whose variables have the model's name alone.
func holdsLayer(nodes []*graph.Node) bool {
	found := false
	for _, n := range nodes {
		if QuietOps[n.Op] || n.Op == "Identity" {
			continue
		}
		if len(n.Parts) < 3 {
			return false
		}
		_, outer := kerasnames.ClassOf(n.Parts[0])
		_, inner := kerasnames.ClassOf(n.Parts[1])
		if outer || !inner || Helpers[kerasnames.WithoutNumber(n.Parts[1])] {
			return false
		}
		found = true
	}
	return found
}

// depthVote compares a node's scopes with the path of a variable that it reads: 1 when the layer
// that holds the variable is not the outermost scope, -1 when it is, 0 when they have nothing in
// common.
func depthVote(scopes, path []string) int {
	path = path[max(0, len(path)-3) : len(path)-1]
	for j := len(scopes) - 1; j >= 0; j-- {
		for _, base := range kerasnames.Bases(scopes[j]) {
			if slices.Contains(path, base) {
				if j > 0 {
					return 1
				}
				return -1
			}
		}
	}
	return 0
}
