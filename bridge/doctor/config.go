package doctor

import (
	"errors"
	"io/fs"
	"strings"

	"postern/bridge/config"
)

const checkConfig = "config.valid"

// BadConfig is what there is to say if the config cannot be used. err is what [config.Load] returned, with a line for each mistake.
func BadConfig(err error) []Finding {
	var joined interface{ Unwrap() []error }
	causes := []error{err}
	if errors.As(err, &joined) {
		causes = joined.Unwrap()
	}
	var findings []Finding
	for _, cause := range causes {
		var key *config.Error
		if !errors.As(cause, &key) {
			findings = append(findings, fault(checkConfig, sentence(cause.Error()), fileRemedy(cause)))
			continue
		}
		problem := *key
		problem.Remedy = ""
		findings = append(findings, fault(checkConfig, sentence(strings.TrimSuffix(problem.Error(), ": ")), sentence(strings.ToUpper(key.Remedy[:1])+key.Remedy[1:])))
	}
	return findings
}

// fileRemedy is for a config that cannot be read at all.
func fileRemedy(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "Name the right file with --config, or write one with `postern init`."
	case errors.Is(err, fs.ErrPermission):
		return asUserRemedy + "the file, with chown."
	}
	return "Correct the file. `postern config` prints an example with all keys."
}

func sentence(text string) string { return strings.TrimRight(text, ".") + "." }
