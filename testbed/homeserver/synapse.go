package homeserver

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	_ "embed"
	"encoding/base64"
	"path/filepath"
	"text/template"

	"postern/testbed/process"
)

const (
	synapseConfigName    = "homeserver.yaml"
	synapseLogConfigName = "log.yaml"
)

var (
	//go:embed synapse.yaml.tmpl
	synapseConfig string
	//go:embed synapse_log.yaml
	synapseLogConfig []byte
)

var synapseTemplate = template.Must(template.New(synapseConfigName).Parse(synapseConfig))

type synapse struct{}

// prepare makes the key that signs events, in Synapse's own format, and the log configuration.
func (synapse) prepare(dir string) error {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	key := "ed25519 testbed " + base64.RawStdEncoding.EncodeToString(private.Seed()) + "\n"
	if err = writeFile(dir, "signing.key", []byte(key)); err != nil {
		return err
	}
	return writeFile(dir, synapseLogConfigName, synapseLogConfig)
}

func (synapse) configure(settings settings) error {
	var config bytes.Buffer
	if err := synapseTemplate.Execute(&config, settings); err != nil {
		return err
	}
	return writeFile(settings.Dir, synapseConfigName, config.Bytes())
}

func (synapse) command(binary string, settings settings) process.Options {
	return process.Options{
		Path: binary,
		Args: []string{"-m", "synapse.app.homeserver", "--config-path", filepath.Join(settings.Dir, synapseConfigName)},
		Env:  []string{"PYTHONUNBUFFERED=1"},
	}
}

func (synapse) healthPath() string { return "/health" }
