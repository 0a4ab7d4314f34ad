// SPDX-License-Identifier: Apache-2.0

// Prints as JSON what a scraper's own parser reads in a page of metrics, for tests/deploy/parsers.py.
// Usage: parsers prometheus|victoriametrics CONTENT_TYPE <PAGE
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"

	victoria "github.com/VictoriaMetrics/VictoriaMetrics/lib/protoparser/prometheus"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
)

type family struct {
	Type string `json:"type"`
	Unit string `json:"unit"`
	Help string `json:"help"`
}

type series struct {
	Labels map[string]string `json:"labels"`
	Value  float64           `json:"value"`
	// Milliseconds; 0 where the format has none.
	Start int64 `json:"start"`
	// Of a native histogram, whose value is its count.
	IsNative bool `json:"is_native"`
}

type page struct {
	Families map[string]*family `json:"families"`
	Series   []series           `json:"series"`
}

func (p *page) family(name []byte) *family {
	found, ok := p.Families[string(name)]
	if !ok {
		found = &family{}
		p.Families[string(name)] = found
	}
	return found
}

// readPrometheus parses as a scrape does with the feature type-and-unit-labels, which shows
// what type and unit the parser gives each sample.
func readPrometheus(content []byte, contentType string, out *page) error {
	parser, err := textparse.New(content, contentType, labels.NewSymbolTable(),
		textparse.ParserOptions{EnableTypeAndUnitLabels: true, KeepClassicOnClassicAndNativeHistograms: true})
	if err != nil {
		return err
	}
	for {
		entry, err := parser.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		read := series{}
		switch entry {
		case textparse.EntryType:
			name, kind := parser.Type()
			out.family(name).Type = string(kind)
			continue
		case textparse.EntryUnit:
			name, unit := parser.Unit()
			out.family(name).Unit = string(unit)
			continue
		case textparse.EntryHelp:
			name, help := parser.Help()
			out.family(name).Help = string(help)
			continue
		case textparse.EntrySeries:
			_, _, read.Value = parser.Series()
		case textparse.EntryHistogram:
			_, _, histogram, _ := parser.Histogram()
			if histogram == nil {
				return errors.New("a native histogram is not of integers")
			}
			if err := histogram.Validate(); err != nil {
				return err
			}
			read.Value, read.IsNative = float64(histogram.Count), true
		default:
			return fmt.Errorf("unexpected entry %d", entry)
		}
		var set labels.Labels
		parser.Labels(&set)
		read.Labels = set.Map()
		read.Start = parser.StartTimestamp()
		out.Series = append(out.Series, read)
	}
}

func readVictoriaMetrics(content []byte, out *page) error {
	var failure error
	rows, metadata := victoria.UnmarshalWithMetadata(victoria.Rows{}, victoria.MetadataRows{}, string(content),
		func(message string) { failure = errors.New(message) })
	for _, row := range rows.Rows {
		read := series{Labels: map[string]string{"__name__": row.Metric}, Value: row.Value}
		for _, tag := range row.Tags {
			read.Labels[tag.Key] = tag.Value
		}
		out.Series = append(out.Series, read)
	}
	for _, row := range metadata.Rows {
		out.family([]byte(row.Metric)).Type = row.Type.String()
		out.family([]byte(row.Metric)).Help = row.Help
	}
	return failure
}

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: parsers prometheus|victoriametrics CONTENT_TYPE <PAGE")
	}
	content, err := io.ReadAll(os.Stdin)
	if err != nil {
		log.Fatal(err)
	}
	out := page{Families: map[string]*family{}}
	if os.Args[1] == "prometheus" {
		err = readPrometheus(content, os.Args[2], &out)
	} else {
		err = readVictoriaMetrics(content, &out)
	}
	if err != nil {
		log.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
		log.Fatal(err)
	}
}
