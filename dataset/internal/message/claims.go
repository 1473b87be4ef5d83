package message

import "github.com/tfrun/tfrun/dataset"

const (
	// metadataBytes is about how much memory a byte of metadata takes once the library has decoded
	// it: a schema of 600,000 columns in 31 MB takes 200 MB.
	metadataBytes = 8
	// bodyBytes is about how much a byte of a body takes: it is there once as it came, and once as
	// rows or results.
	bodyBytes = 2
)

// claims takes from a room what messages need.
type claims struct {
	room         dataset.Room    // nil: there is enough
	taken        int64           // for the message being read
	dictionaries map[int64]int64 // bytes taken for each dictionary, by its number
}

// take takes room for a part of the message being read.
func (c *claims) take(bytes int64) error {
	if c.room == nil {
		return nil
	}
	c.taken += bytes
	return c.room.Take(bytes)
}

// settle says what became of the message that was read. A record batch is given back with its rows,
// a dictionary when another takes its place, and a schema never.
func (c *claims) settle(m metadata) {
	if c.room == nil {
		return
	}
	switch m.kind {
	case headerBatch:
		c.room.Owe(c.taken, m.rows)
	case headerDictionary:
		if c.dictionaries == nil {
			c.dictionaries = map[int64]int64{}
		}
		if !m.delta {
			c.room.Give(c.dictionaries[m.dictionary])
			c.dictionaries[m.dictionary] = 0
		}
		c.dictionaries[m.dictionary] += c.taken
	}
	c.taken = 0
}
