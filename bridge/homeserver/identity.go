package homeserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
)

// The homeservers that the bridge is made for, as they call themselves.
const (
	Synapse  = "Synapse"
	Dendrite = "Dendrite"
)

const (
	// maxIdentityAnswer bounds what is read of a server's answer about itself, in bytes.
	maxIdentityAnswer = 64 << 10
	// maxNameLength bounds what a server calls itself, in characters. It is printed and logged.
	maxNameLength = 64
	// identityTimeout bounds each question for what a server is.
	identityTimeout = 10 * time.Second
)

// ErrNotMatrix: something answers, but no homeserver.
var ErrNotMatrix = errors.New("what answers there is no Matrix homeserver")

// Identity is what a homeserver tells everybody about itself. All of it is printable and at most 64 characters long.
type Identity struct {
	// Software and Version are "" if the server does not tell.
	Software string
	Version  string
	// Name is the server's name, the part of a Matrix ID after the colon. It is "" if the server does not tell at this address, as
	// one does not that takes no part in the federation.
	Name string
}

// getter asks a homeserver for a path.
type getter func(ctx context.Context, path string) (*http.Response, error)

// Identify asks the homeserver at an address who it is. It fails if none answers; what the server does not tell stays empty. Each of its
// four questions takes ten seconds at most.
func Identify(ctx context.Context, client *http.Client, address string) (Identity, error) {
	get := getterOf(client, address)
	var versions struct {
		Versions []string `json:"versions"`
	}
	if status, err := askJSON(ctx, get, "/_matrix/client/versions", &versions); err != nil {
		return Identity{}, err
	} else if status != http.StatusOK || len(versions.Versions) == 0 {
		return Identity{}, fmt.Errorf("%w (status %d)", ErrNotMatrix, status)
	}
	var identity Identity
	identity.Software, identity.Version = askSoftware(ctx, get)
	var keys struct {
		Name string `json:"server_name"`
	}
	if status, err := askJSON(ctx, get, "/_matrix/key/v2/server", &keys); err == nil && status == http.StatusOK {
		identity.Name = printable(keys.Name)
	}
	return identity, nil
}

// Software asks the homeserver at an address what it runs, "" if it does not tell: printable, of at most 64 characters, after at most ten
// seconds.
func Software(ctx context.Context, client *http.Client, address string) (software, version string) {
	return askSoftware(ctx, getterOf(client, address))
}

// askSoftware asks the federation interface, which most servers offer to clients too. Where it is turned off, the header of the
// answer tells for Synapse, and a path of its own for Dendrite.
func askSoftware(ctx context.Context, get getter) (software, version string) {
	ctx, cancel := context.WithTimeout(ctx, identityTimeout)
	defer cancel()
	response, err := get(ctx, "/_matrix/federation/v1/version")
	if err != nil {
		return "", ""
	}
	defer response.Body.Close()
	var answer struct {
		Server struct {
			Name    string `json:"name"`
			Version string `json:"version"`
		} `json:"server"`
	}
	if response.StatusCode == http.StatusOK && decodeIdentity(response.Body, &answer) == nil && answer.Server.Name != "" {
		return printable(answer.Server.Name), printable(answer.Server.Version)
	}
	if software, version, _ = strings.Cut(response.Header.Get("Server"), "/"); software == Synapse {
		return software, printable(version)
	}
	if up, err := get(ctx, "/_dendrite/monitor/up"); err == nil {
		defer up.Body.Close()
		if up.StatusCode == http.StatusOK {
			return Dendrite, ""
		}
	}
	return "", ""
}

// WellKnown asks a domain where its homeserver is. It fails if the domain does not tell; the address was not tried.
func WellKnown(ctx context.Context, client *http.Client, domain string) (address string, err error) {
	get := getterOf(client, "https://"+domain)
	var answer struct {
		Homeserver struct {
			BaseURL string `json:"base_url"`
		} `json:"m.homeserver"`
	}
	status, err := askJSON(ctx, get, "/.well-known/matrix/client", &answer)
	if err != nil {
		return "", err
	}
	address = strings.TrimSuffix(answer.Homeserver.BaseURL, "/")
	parsed, err := url.Parse(address)
	if status != http.StatusOK || err != nil || parsed.Host == "" || (parsed.Scheme != "https" && parsed.Scheme != "http") ||
		len(address) > maxIdentityAnswer/64 || printable(parsed.Host) != parsed.Host {
		return "", fmt.Errorf("%s does not say where its homeserver is (status %d)", domain, status)
	}
	return parsed.Scheme + "://" + parsed.Host + strings.TrimSuffix(parsed.EscapedPath(), "/"), nil
}

// Warning says what speaks against running the bridge with this homeserver, "" if nothing does.
func (i Identity) Warning() string {
	switch {
	case GuessFeatures(i.Software, i.Version).TooOld():
		return fmt.Sprintf("%s %s is too old: the bridge is made for Synapse from 1.100 and Dendrite from 0.15 on. Update it first.", i.Software, i.Version)
	case i.Software == "":
		return "The homeserver does not tell what it is. The bridge is made for Synapse and Dendrite."
	case i.Software != Synapse && i.Software != Dendrite:
		return fmt.Sprintf("The bridge is made for Synapse and Dendrite, and was not tried with %s.", i.Software)
	}
	return ""
}

// askJSON returns the answer's status, and decodes it if that is 200.
func askJSON(ctx context.Context, get getter, path string, into any) (status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, identityTimeout)
	defer cancel()
	response, err := get(ctx, path)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusOK && decodeIdentity(response.Body, into) != nil {
		return 0, fmt.Errorf("%w (its answer to %s is not JSON, or too large)", ErrNotMatrix, path)
	}
	return response.StatusCode, nil
}

func decodeIdentity(body io.Reader, into any) error {
	return json.NewDecoder(io.LimitReader(body, maxIdentityAnswer)).Decode(into)
}

// getterOf asks without a token.
func getterOf(client *http.Client, address string) getter {
	return func(ctx context.Context, path string) (*http.Response, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(address, "/")+path, nil)
		if err != nil {
			return nil, err
		}
		return client.Do(request)
	}
}

// printable takes out of a text what could change how a terminal shows it, and bounds it.
func printable(text string) string {
	var kept []rune
	for _, char := range text {
		if len(kept) == maxNameLength {
			break
		}
		if unicode.IsPrint(char) && char != unicode.ReplacementChar {
			kept = append(kept, char)
		}
	}
	return string(kept)
}
