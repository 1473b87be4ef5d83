package padding

func init() {
	for _, op := range []string{"LookupTableFindV2", "LookupTableFind"} {
		rules[op] = lookup
	}
	for _, op := range []string{"LookupTableSizeV2", "LookupTableSize"} {
		rules[op] = func(*call) []*value {
			return []*value{{ranked: true, real: fact{finite: true, tame: true, nonneg: true, integer: true}}}
		}
	}
	rules["StringSplitV2"] = stringSplit
	rules["RaggedTensorToTensor"] = raggedToTensor
}

// lookup is the rule of lookups of keys in a table.
func lookup(c *call) []*value {
	if len(c.in) < 3 || !c.in[1].ranked || c.in[1].list != nil || c.in[0].why != nil {
		return c.unknown("looks up keys, or in a table, that are not known")
	}
	v := c.plain(c.in[1].with(c.in[1].axes, c.in[1].pad), fact{finite: true, tame: true})
	for j, f := range c.in[1].pad {
		v.pad[j].unclear = f.known || f.unclear // the table's values are not looked at
	}
	return c.made(v, c.in[1], c.in[2])
}

// stringSplit is the rule of StringSplit. It returns the words of all rows, one after the other,
// and for each word the number of its row.
func stringSplit(c *call) []*value {
	if !c.ranked(1) || c.in[0].rank() != 1 {
		return c.unknown("cuts texts that do not form a list")
	}
	if _, ok := c.in[0].axes[0].only(rows); !ok {
		return c.unknown("cuts texts that are not one for each row")
	}
	id := "the texts' words, cut by " + opAndLayer(c.n)
	words := axis{{kind: flat, name: id}}
	indices := &value{ranked: true, axes: []axis{words, fixedAxis(2, "")}, pad: make([]fact, 2), real: fact{finite: true, tame: true}, rowIDs: id}
	values := &value{ranked: true, axes: []axis{words}, pad: make([]fact, 1), real: fact{finite: true, tame: true}}
	shape := c.counted(&value{ranked: true, axes: []axis{fixedAxis(2, "")}, pad: make([]fact, 1)}, []num{numOf(c.in[0].axes[0]), numOf(axis{{kind: steps, name: id}})})
	indices = c.dependsOn(indices, "numbers the rows of the batch")
	return []*value{indices, c.made(values, c.in[0])[0], shape}
}

// raggedToTensor is the rule of RaggedTensorToTensor: each row gets its words, padded to the most
// words of any row.
func raggedToTensor(c *call) []*value {
	if len(c.in) < 5 || len(c.n.Def.GetAttr()["row_partition_types"].GetList().GetS()) != 2 {
		return c.unknown("joins rows that are no words of texts")
	}
	types := c.n.Def.GetAttr()["row_partition_types"].GetList().GetS()
	values, fill, size, ids := c.in[1], c.in[2], c.in[3], c.in[4]
	if string(types[0]) != "FIRST_DIM_SIZE" || string(types[1]) != "VALUE_ROWIDS" || !values.ranked || values.rank() != 1 || len(size.nums) != 1 || !size.nums[0].equal(numOf(axis{rowsAtom})) {
		return c.unknown("joins rows that are no words of texts")
	}
	words, ok := values.axes[0].only(flat)
	if !ok || ids.rowIDs != words.name {
		return c.unknown("joins rows that are no words of texts")
	}
	width := axis{{kind: steps, name: words.name}}
	if sizes := c.in[0].nums; len(sizes) == 2 && sizes[1].isConst() && sizes[1].c >= 0 {
		width = fixedAxis(sizes[1].c, "")
	}
	v := &value{ranked: true, axes: []axis{{rowsAtom}, width}, pad: []fact{{}, fill.real}, real: values.real.join(fill.real)}
	if width.has(steps) {
		v.real = values.real
	}
	return c.made(v, values, fill)
}
