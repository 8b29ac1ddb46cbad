package nic

// The language of impairments: the words behind `impair`, in the ctl of a link and
// of an interface, and the same words back. stack parses the rest of the line.

import (
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"slashnet/stack/neterr"
)

const impairWords = "delay 50ms, jitter 5ms, loss 1%, dup 0.1%, reorder 1%, corrupt 0.01%, rate 10mbit, queue 100, seed 42"

// units are those of rates, in bits a second.
var units = []struct {
	name string
	bits int64
}{{"gbit", 1e9}, {"mbit", 1e6}, {"kbit", 1e3}, {"bit", 1}}

// ParseImpair reads pairs of a word and a value; none, or off alone, is a good
// cable. If chance has a part in it and no seed is given, one is drawn.
func ParseImpair(words []string) (p Impair, err error) {
	if len(words) == 1 && words[0] == "off" {
		return Impair{}, nil
	}
	if len(words) == 0 {
		return p, neterr.BadControl.With("impair what? off, or some of %s", impairWords)
	}
	given := map[string]bool{}
	for ; len(words) > 0; words = words[2:] {
		word := words[0]
		switch {
		case len(words) == 1:
			return Impair{}, neterr.BadControl.With("impair %s: a value is wanted, as in %s", clip(word), impairWords)
		case given[word]:
			return Impair{}, neterr.BadControl.With("impair: %s is given twice", word)
		}
		given[word] = true
		if err := p.parse(word, words[1]); err != nil {
			return Impair{}, err
		}
	}
	if err := p.Validate(); err != nil {
		return Impair{}, err
	}
	if !given["seed"] && p.random() {
		p.Seed = uint64(rand.Uint32()) // short enough to be written down
	}
	return p, nil
}

func (p *Impair) parse(word, value string) (err error) {
	switch word {
	case "delay":
		p.Delay, err = time.ParseDuration(value)
	case "jitter":
		p.Jitter, err = time.ParseDuration(value)
	case "loss":
		p.Loss, err = parseChance(value)
	case "dup":
		p.Duplicate, err = parseChance(value)
	case "reorder":
		p.Reorder, err = parseChance(value)
	case "corrupt":
		p.Corrupt, err = parseChance(value)
	case "rate":
		p.Rate, err = parseRate(value)
	case "queue":
		p.Queue, err = strconv.Atoi(value)
	case "seed":
		p.Seed, err = strconv.ParseUint(value, 10, 64)
	default:
		return neterr.BadControl.With("impair %q: known are %s, and off", clip(word), impairWords)
	}
	if err != nil {
		return neterr.BadArg.With("impair %s %q: wanted is a value as in %s", word, clip(value), impairWords)
	}
	return nil
}

func parseChance(text string) (float64, error) {
	number, ok := strings.CutSuffix(text, "%")
	if !ok {
		return 0, strconv.ErrSyntax
	}
	percent, err := strconv.ParseFloat(number, 64)
	return percent / 100, err
}

func parseRate(text string) (int64, error) {
	for _, u := range units {
		if number, ok := strings.CutSuffix(text, u.name); ok {
			n, err := strconv.ParseFloat(number, 64)
			if bits := n * float64(u.bits); err == nil && bits >= 0 && bits <= rateMax {
				return int64(math.Ceil(bits)), nil // what is not nothing is not "unlimited"
			}
			break
		}
	}
	return 0, strconv.ErrSyntax
}

// random reports whether chance has a part in it.
func (p Impair) random() bool {
	return p.Loss > 0 || p.Duplicate > 0 || p.Corrupt > 0 || p.Reorder > 0 || p.Jitter > 0
}

// String is what ParseImpair reads.
func (p Impair) String() string {
	var b strings.Builder
	say := func(is bool, word, value string) {
		if is {
			b.WriteString(" " + word + " " + value)
		}
	}
	say(p.Delay > 0, "delay", p.Delay.String())
	say(p.Jitter > 0, "jitter", p.Jitter.String())
	say(p.Loss > 0, "loss", percent(p.Loss))
	say(p.Duplicate > 0, "dup", percent(p.Duplicate))
	say(p.Reorder > 0, "reorder", percent(p.Reorder))
	say(p.Corrupt > 0, "corrupt", percent(p.Corrupt))
	say(p.Rate > 0, "rate", rateText(p.Rate))
	say(p.Queue > 0, "queue", strconv.Itoa(p.Queue))
	say(p.random(), "seed", strconv.FormatUint(p.Seed, 10))
	if b.Len() == 0 {
		return "off"
	}
	return b.String()[1:]
}

// percent prints as many digits as people write: 7 % is not to come back as
// 7.000000000000001 %.
func percent(chance float64) string {
	return strconv.FormatFloat(100*chance, 'g', 12, 64) + "%"
}

func rateText(rate int64) string {
	for _, u := range units {
		if rate%u.bits == 0 {
			return strconv.FormatInt(rate/u.bits, 10) + u.name
		}
	}
	return ""
}

// clip shortens what a message quotes.
func clip(s string) string {
	const most = 40
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}
