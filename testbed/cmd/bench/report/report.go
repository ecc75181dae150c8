package report

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Report is everything that a run measured.
type Report struct {
	Time    time.Time `json:"time"`
	Machine Machine   `json:"machine"`
	// Homeserver is its implementation.
	Homeserver string `json:"homeserver"`
	// Quick runs are too short to be compared with others.
	Quick   bool     `json:"quick"`
	Figures []Figure `json:"figures"`
	// Failures are measurements that did not come to an end, and why.
	Failures []string `json:"failures,omitempty"`
}

// Add judges figures and keeps them. It fails if one of them was not really measured.
func (r *Report) Add(figures ...Figure) error {
	for _, figure := range figures {
		if err := figure.judge(); err != nil {
			return err
		}
		r.Figures = append(r.Figures, figure)
	}
	return nil
}

// Write makes the JSON file, and its folder if that is missing. A file that is there is replaced as a whole or not at all.
func (r *Report) Write(path string) error {
	content, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("failed to encode the report: %w", err)
	}
	if err = os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("failed to make a folder for the report: %w", err)
	}
	unfinished := path + ".new"
	if err = os.WriteFile(unfinished, append(content, '\n'), 0o644); err != nil {
		return fmt.Errorf("failed to write the report: %w", err)
	}
	if err = os.Rename(unfinished, path); err != nil {
		return fmt.Errorf("failed to write the report: %w", err)
	}
	return nil
}
