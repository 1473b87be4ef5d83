package layers_test

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/tfrun/tfrun/internal/words"
	"github.com/tfrun/tfrun/savedmodel/layers"
)

// TestFormulasHold computes every formula that explains a parameter count or a size of a recorded
// model's table, "66,048 = 2 × 4 × ((64 + 64) × 64 + 64)", and compares it with the number before
// it; a count is the row's own, and that of the row's weights. No model of TFRUN_MODELS may have a
// formula that is wrong either.
func TestFormulasHold(t *testing.T) {
	t.Parallel()
	formulas := 0
	for _, c := range tableCases(t) {
		table, err := c.table()
		if err != nil {
			t.Errorf("%s: %v", c.dir, err)
			continue
		}
		if table == nil {
			continue
		}
		eachLayer(table.Layers, func(l *layers.Layer) {
			for _, why := range l.Why {
				n, text := formulaIn(why)
				if text == "" {
					continue
				}
				formulas++
				got, err := compute(text)
				if err != nil || words.Thousands(got) != n {
					t.Errorf("%s: layer %s: %q: %s is %d: %v", c.dir, l.Name, why, text, got, err)
				}
				if strings.HasPrefix(why, "parameters: ") && got != l.Params {
					t.Errorf("%s: layer %s has %d parameters, not as %q says", c.dir, l.Name, l.Params, why)
				}
			}
			var sum int64
			for _, w := range l.Weights {
				size, _ := w.Shape.NumElements()
				sum += max(size, 0)
			}
			if sum != l.Params {
				t.Errorf("%s: layer %s has %d parameters, and weights of %d", c.dir, l.Name, l.Params, sum)
			}
		})
	}
	if want := 1900; formulas < want && !testing.Short() {
		t.Errorf("%d formulas were found, want over %d", formulas, want)
	}
}

func eachLayer(rows []*layers.Layer, visit func(*layers.Layer)) {
	for _, l := range rows {
		visit(l)
		eachLayer(l.Layers, visit)
	}
}

// formula matches a number and what it is made of, up to the words that say what that is.
var formula = regexp.MustCompile(`^(?:outputs? [\d, ]+: )?(?:parameters: )?([\d,]+) = (.*)$`)

// formulaIn returns the two sides of the equation that a reason begins with; "" where it has none.
// Words within the right side, as in "4 forward + 4 backward", are left out.
func formulaIn(why string) (n, text string) {
	m := formula.FindStringSubmatch(why)
	if m == nil {
		return "", ""
	}
	text = m[2]
	for _, end := range []string{": ", "; ", ", ", " (merge"} {
		text, _, _ = strings.Cut(text, end)
	}
	return m[1], regexp.MustCompile(`[A-Za-z_]+`).ReplaceAllString(text, "")
}

// compute evaluates a formula: numbers, + − × /, brackets, and those of rounding, ⌊⌋ and ⌈⌉.
func compute(text string) (int64, error) {
	c := &computer{rest: []rune(strings.NewReplacer(" ", "", ",", "").Replace(text))}
	v := c.sum()
	if c.err == nil && len(c.rest) > 0 {
		c.err = errors.New("left over: " + string(c.rest))
	}
	if v != float64(int64(v)) {
		c.err = errors.Join(c.err, errors.New("no whole number"))
	}
	return int64(v), c.err
}

type computer struct {
	rest []rune
	err  error
}

func (c *computer) next(of string) rune {
	if len(c.rest) > 0 && strings.ContainsRune(of, c.rest[0]) {
		r := c.rest[0]
		c.rest = c.rest[1:]
		return r
	}
	return 0
}

func (c *computer) sum() float64 {
	v := c.product()
	for {
		switch c.next("+−-") {
		case 0:
			return v
		case '+':
			v += c.product()
		default:
			v -= c.product()
		}
	}
}

func (c *computer) product() float64 {
	v := c.one()
	for {
		switch c.next("×/") {
		case 0:
			return v
		case '×':
			v *= c.one()
		default:
			v /= c.one()
		}
	}
}

func (c *computer) one() float64 {
	switch open := c.next("(⌊⌈"); open {
	case '(':
		v := c.sum()
		c.close(")")
		return v
	case '⌊':
		v := c.sum()
		c.close("⌋")
		return float64(int64(v))
	case '⌈':
		v := c.sum()
		c.close("⌉")
		if whole := float64(int64(v)); whole < v {
			return whole + 1
		}
		return v
	}
	var digits string
	for d := c.next("0123456789"); d != 0; d = c.next("0123456789") {
		digits += string(d)
	}
	v, err := strconv.ParseFloat(digits, 64)
	c.err = errors.Join(c.err, err)
	return v
}

func (c *computer) close(bracket string) {
	if c.next(bracket) == 0 {
		c.err = errors.Join(c.err, errors.New("no "+bracket))
		c.rest = nil
	}
}
