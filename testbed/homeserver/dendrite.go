package homeserver

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	_ "embed"
	"encoding/pem"
	"path/filepath"
	"text/template"

	"postern/testbed/process"
)

const (
	dendriteConfigName = "dendrite.yaml"
	// dendriteGOGC and dendriteMemory are Go's settings for a collector that runs more seldom, until so much memory is in use. Many small
	// servers run on few processors here, and a tenth of their work was the collector's.
	dendriteGOGC   = "400"
	dendriteMemory = "256MiB"
)

//go:embed dendrite.yaml.tmpl
var dendriteConfig string

var dendriteTemplate = template.Must(template.New(dendriteConfigName).Parse(dendriteConfig))

type dendrite struct{}

// prepare makes the key that signs events.
func (dendrite) prepare(dir string) error {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	return writeFile(dir, "matrix_key.pem", pem.EncodeToMemory(&pem.Block{
		Type:    "MATRIX PRIVATE KEY",
		Headers: map[string]string{"Key-ID": "ed25519:testbed"},
		Bytes:   private.Seed(),
	}))
}

func (dendrite) configure(settings settings) error {
	var config bytes.Buffer
	if err := dendriteTemplate.Execute(&config, settings); err != nil {
		return err
	}
	return writeFile(settings.Dir, dendriteConfigName, config.Bytes())
}

func (dendrite) command(binary string, settings settings) process.Options {
	args := []string{
		"-config", filepath.Join(settings.Dir, dendriteConfigName),
		"-http-bind-address", process.Loopback(settings.Port),
	}
	if settings.FederationPort != 0 {
		args = append(args,
			"-https-bind-address", process.Loopback(settings.FederationPort),
			"-tls-cert", filepath.Join(settings.Dir, certificateName),
			"-tls-key", filepath.Join(settings.Dir, certificateKeyName))
	}
	return process.Options{Path: binary, Args: args, Env: []string{"GOGC=" + dendriteGOGC, "GOMEMLIMIT=" + dendriteMemory}}
}

func (dendrite) healthPath() string { return "/_dendrite/monitor/health" }
