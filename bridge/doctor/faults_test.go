package doctor_test

import (
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/bridge/doctor"
)

// provoked is something that goes wrong, and how it has to be named.
type provoked struct {
	what   string
	break_ func(i *installation)
	check  string
	status doctor.Status
	// text is a part of the finding's text, remedy of its remedy.
	text, remedy string
}

// answer makes a handler.
func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// clockOff makes answers with another time.
func clockOff(by time.Duration, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", time.Now().Add(by).UTC().Format(http.TimeFormat))
		_, _ = w.Write([]byte(body))
	}
}

const proxyPage = "<html><h1>404 Not Found</h1><hr>nginx</html>"

// proxy lets everything through but what is below a path.
func proxy(i *installation, path string, instead http.HandlerFunc) {
	i.inFront = func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, path) {
			instead(w, r)
			return
		}
		i.partner.ServeHTTP(w, r)
	}
}

const (
	jwksPath     = "/.well-known/oauth/openid/jwks"
	versionsPath = "/_matrix/client/versions"
	whoamiPath   = "/_matrix/client/v3/account/whoami"
	pingPath     = "/_matrix/client/v1/appservice/postern/ping"
)

// down stops the bridge.
func (i *installation) down() {
	i.bridge.Close()
}

var faults = slices.Concat(fileFaults, databaseFaults, homeserverFaults, pingFaults, publicFaults, gatekeeperFaults, otherFaults, brokenFaults, bucketFaults, permissionFaults)

var homeserverFaults = []provoked{
	{"no homeserver", func(i *installation) { i.homeserver.server.Close() }, "homeserver.reachable", doctor.Fault, "refused", "Start the homeserver"},
	{"a name that does not resolve", func(i *installation) { i.cfg.Homeserver.Address = "http://no.such.host.invalid" }, "homeserver.reachable", doctor.Fault, "no.such.host.invalid cannot be resolved", "homeserver.address"},
	{"TLS where there is none", func(i *installation) {
		i.cfg.Homeserver.Address = strings.Replace(i.cfg.Homeserver.Address, "http:", "https:", 1)
	}, "homeserver.reachable", doctor.Fault, "no TLS is spoken", "certificate"},
	{"a certificate of nobody", func(i *installation) {
		i.cfg.Homeserver.Address = i.public.URL
		i.options.Roots = newAuthority(i.t).roots()
	}, "homeserver.reachable", doctor.Fault, "not signed by a known authority", "certificate"},
	{"something else at its address", func(i *installation) { i.homeserver.bugs[versionsPath] = answer(404, proxyPage) }, "homeserver.reachable", doctor.Fault, "not a homeserver's client interface (status 404)", "homeserver.address"},
	{"a web page at its address", func(i *installation) { i.homeserver.bugs[versionsPath] = answer(200, proxyPage) }, "homeserver.reachable", doctor.Fault, "not a homeserver's client interface (status 200)", "homeserver.address"},
	{"a clock that is minutes off", func(i *installation) {
		i.homeserver.bugs[versionsPath] = clockOff(7*time.Minute, `{"versions": ["v1.11"]}`)
	}, "homeserver.clock", doctor.Fault, "7m", "NTP"},
	{"a clock that is a minute off", func(i *installation) {
		i.homeserver.bugs[versionsPath] = clockOff(-time.Minute, `{"versions": ["v1.11"]}`)
	}, "homeserver.clock", doctor.Warning, "1m", "NTP"},
	{"an old Synapse", func(i *installation) { i.homeserver.version = "1.98.0" }, "homeserver.version", doctor.Warning, "Synapse 1.98.0", "Update"},
	{"an old Dendrite", func(i *installation) { i.homeserver.software, i.homeserver.version = "Dendrite", "0.13.8+abc" }, "homeserver.version", doctor.Warning, "Dendrite 0.13.8", "Update"},
	{"an unknown homeserver", func(i *installation) { i.homeserver.software = "" }, "homeserver.version", doctor.Note, "does not tell what it is", ""},
	{"a registration that was not loaded", func(i *installation) { i.homeserver.asToken = "none" }, "homeserver.token", doctor.Fault, "did not load the registration", "app_service_config_files"},
	{"a Dendrite that had the registration once", func(i *installation) {
		i.homeserver.bugs[whoamiPath] = answer(200, `{"user_id": "@sender:example.org"}`)
	}, "homeserver.token", doctor.Fault, "an ordinary user: it did not load the registration", "app_service_api.config_files"},
	{"a homeserver that fails", func(i *installation) { i.homeserver.bugs[whoamiPath] = answer(500, `{"errcode": "M_UNKNOWN"}`) }, "homeserver.token", doctor.Fault, "status 500, M_UNKNOWN", "log"},
	{"another server name", func(i *installation) { i.homeserver.domain = "other.example" }, "homeserver.token", doctor.Fault, "The homeserver's name is other.example", "homeserver.domain"},
	{"another bot in the registration", func(i *installation) { i.homeserver.users = regexp.MustCompile(`^@postern_.*:example\.org$`) }, "homeserver.bot", doctor.Fault, "not in the registration's namespaces", "bot_username"},
	{"a bot that never was", func(i *installation) { i.homeserver.registered = nil }, "homeserver.bot", doctor.Note, "not registered yet", ""},
	{"other contacts in the registration", func(i *installation) { i.homeserver.users = regexp.MustCompile(`^@postern:example\.org$`) }, "homeserver.namespaces", doctor.Fault, "not in the registration's namespaces", "username_template"},
	{"names that are free to others on Dendrite", func(i *installation) {
		i.homeserver.software = "Dendrite"
		i.homeserver.bugs["/_matrix/client/v3/register/available"] = answer(200, `{"available": true}`)
	}, "homeserver.namespaces", doctor.Fault, "others could register them", "restart"},
	{"a double puppet registration that was not loaded", func(i *installation) { i.homeserver.puppetToken = "none" }, "homeserver.double_puppet", doctor.Fault, "does not know double_puppet.as_token", "doublepuppet.yaml"},
	{"a double puppet registration for other users", func(i *installation) {
		i.homeserver.bugs[whoamiPath] = func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") == "Bearer "+i.homeserver.puppetToken && r.URL.Query().Get("user_id") != "" {
				refuse(w, 403, "M_FORBIDDEN", "Application service cannot masquerade as this user.")
				return
			}
			i.homeserver.whoami(w, r)
		}
	}, "homeserver.double_puppet", doctor.Fault, "does not let double_puppet.as_token act", "namespace"},
	{"no double puppeting", func(i *installation) { i.cfg.DoublePuppet.ASToken = "" }, "homeserver.double_puppet", doctor.Note, "invitation", ""},
	{"a Synapse without the flags", func(i *installation) { i.exec("DELETE FROM postern_kv") }, "homeserver.encryption", doctor.Warning, "does not push encryption keys", "msc3202_device_masquerading"},
	{"a homeserver that takes small files", func(i *installation) { i.homeserver.upload = 10 << 20 }, "homeserver.upload", doctor.Note, "10.0 MiB at most, and limits.file_mib is 100", "max_upload_size"},
	{"a homeserver that does not tell its limit", func(i *installation) { i.homeserver.upload = 0 }, "homeserver.upload", doctor.Note, "does not tell how large", ""},
}

var pingFaults = []provoked{
	{"a url that leads nowhere", func(i *installation) { i.homeserver.url = "http://" + closedPort(i.t) }, "homeserver.ping", doctor.Fault, "M_CONNECTION_FAILED", "localhost is the container itself"},
	{"a bridge that does not answer", func(i *installation) {
		i.homeserver.bugs[pingPath] = answer(504, `{"errcode": "M_CONNECTION_TIMEOUT"}`)
	}, "homeserver.ping", doctor.Fault, "M_CONNECTION_TIMEOUT", "firewall"},
	{"a Synapse that is stuck", func(i *installation) {
		i.homeserver.bugs[pingPath] = answer(502, `{"errcode": "M_CONNECTION_FAILED", "error": "AlreadyCalled: Tried to cancel an already-called event."}`)
	}, "homeserver.ping", doctor.Fault, "HTTP client is stuck", "Restart Synapse"},
	{"another hs_token", func(i *installation) { i.homeserver.hsToken = "other" }, "homeserver.ping", doctor.Fault, "refuses the homeserver's hs_token", "hs_token"},
	{"something else at the url", func(i *installation) { i.homeserver.url = i.gatekeeperPlain() }, "homeserver.ping", doctor.Fault, "is not the bridge (M_BAD_STATUS, 404)", "appservice.address"},
	{"no url", func(i *installation) { i.homeserver.url = "" }, "homeserver.ping", doctor.Fault, "names no url", "registration.yaml"},
	{"another id", func(i *installation) { i.homeserver.id = "other" }, "homeserver.ping", doctor.Fault, "another id", "appservice.id"},
	{"a ping that fails otherwise", func(i *installation) { i.homeserver.bugs[pingPath] = answer(500, `{}`) }, "homeserver.ping", doctor.Fault, "status 500, no code", "log"},
	{"a bridge that is off", (*installation).down, "homeserver.ping", doctor.OK, "Doctor answered in the place of the bridge", ""},
	{"a bridge that is off, and another at the url", func(i *installation) {
		i.homeserver.bugs[pingPath] = answer(200, `{"duration_ms": 3}`)
		i.down()
	}, "homeserver.ping", doctor.Fault, "reaches another bridge", "appservice.listen"},
	{"a bridge that is off, and another hs_token", func(i *installation) { i.homeserver.hsToken = "other"; i.down() }, "homeserver.ping", doctor.Fault, "refuses the homeserver's hs_token", "hs_token"},
	{"an address of another machine to listen on", func(i *installation) { i.down(); i.cfg.Appservice.Listen = "192.0.2.1:29340" }, "homeserver.ping", doctor.Fault, "Nobody can listen at 192.0.2.1:29340", "address of this machine"},
	{"another program in the bridge's place", func(i *installation) { i.cfg.Appservice.Listen = strings.TrimPrefix(i.gatekeeperPlain(), "http://") }, "homeserver.ping", doctor.Note, "could not be tried", ""},
	// As Dendrite, which has no ping.
	{"Dendrite that reaches the bridge", asDendrite(nil), "homeserver.ping", doctor.OK, "made to ask the bridge for a contact, and reaches it.", ""},
	{"Dendrite that does not reach the bridge", asDendrite(func(i *installation) { i.homeserver.url = "http://" + closedPort(i.t) }), "homeserver.ping", doctor.Fault, "cannot reach it", "appservice.address"},
	{"Dendrite and a bridge that is off", asDendrite((*installation).down), "homeserver.ping", doctor.OK, "Doctor answered", ""},
	{"Dendrite with another hs_token", asDendrite(func(i *installation) { i.homeserver.hsToken = "other" }), "homeserver.ping", doctor.Fault, "refuses its hs_token", "hs_token"},
	{"Dendrite with another hs_token and a bridge that is off", asDendrite(func(i *installation) { i.homeserver.hsToken = "other"; i.down() }), "homeserver.ping", doctor.Fault, "another one than the config", "hs_token"},
	{"Dendrite that reaches something else", asDendrite(func(i *installation) { i.homeserver.url = i.gatekeeperPlain() }), "homeserver.ping", doctor.Fault, "something else", "appservice.address"},
	{"Dendrite that reaches something else and a bridge that is off", asDendrite(func(i *installation) { i.homeserver.url = i.gatekeeperPlain(); i.down() }), "homeserver.ping", doctor.Fault, "something else", "appservice.address"},
	{"Dendrite and a running bridge that does not count", asDendrite(func(i *installation) { i.queries = nil }), "homeserver.ping", doctor.Note, "could not be tried", ""},
	{"an unknown homeserver without ping", func(i *installation) {
		i.homeserver.withoutPing, i.homeserver.software = true, "Other"
		i.homeserver.bugs["/_matrix/client/v3/profile/@postern_doctor:example.org"] = answer(404, `{"errcode": "M_NOT_FOUND"}`)
	}, "homeserver.ping", doctor.Note, "could not be tried", ""},
	{"another program that listens", func(i *installation) { i.cfg.Appservice.Listen = strings.TrimPrefix(i.gatekeeperPlain(), "http://") }, "bridge.running", doctor.Fault, "Another program listens", "another port"},
	{"a bridge with another config", func(i *installation) { i.hsToken = "other" }, "bridge.running", doctor.Fault, "another hs_token than this config", "Restart the bridge"},
	{"a bridge that waits", func(i *installation) { i.ready = false }, "bridge.running", doctor.Warning, "is starting", "log"},
	{"no bridge", (*installation).down, "bridge.running", doctor.Note, "does not run", "Start it"},
}

func asDendrite(then func(i *installation)) func(i *installation) {
	return func(i *installation) {
		i.homeserver.withoutPing, i.homeserver.software, i.homeserver.version = true, "Dendrite", "0.15.2"
		if then != nil {
			then(i)
		}
	}
}

var publicFaults = []provoked{
	{"a public address without server", func(i *installation) { i.public.Close() }, "public.reachable", doctor.Fault, "refused", "reverse proxy"},
	{"a bridge that is off, without a proxy", func(i *installation) {
		i.down()
		i.cfg.Public.Listen = closedPort(i.t)
		i.cfg.Public.URL = "http://" + i.cfg.Public.Listen
	}, "public.reachable", doctor.Note, "does not run", "Start the bridge"},
	{"an expired certificate", func(i *installation) { i.certify = i.authority.certify(i.t, time.Now().AddDate(0, 0, -1), "127.0.0.1") }, "public.certificate", doctor.Fault, "has expired", "Renew"},
	{"a certificate for another name", func(i *installation) { i.certify = i.authority.certify(i.t, time.Now().AddDate(1, 0, 0), "127.0.0.2") }, "public.certificate", doctor.Fault, "for other names", "certificate"},
	{"a certificate without its chain", func(i *installation) {
		i.certify = newAuthority(i.t).certify(i.t, time.Now().AddDate(1, 0, 0), "127.0.0.1")
	}, "public.certificate", doctor.Fault, "known authority", "full chain"},
	{"a certificate near its end", func(i *installation) { i.certify = i.authority.certify(i.t, time.Now().AddDate(0, 0, 10), "127.0.0.1") }, "public.certificate", doctor.Warning, "These are 9 days", "Renew"},
	{"no TLS", func(i *installation) {
		i.options.Config.Public.URL = strings.Replace(i.gatekeeperPlain(), "127.0.0.1", hostName(i.t), 1)
	}, "public.certificate", doctor.Warning, "without TLS", "reverse proxy"},
	{"a proxy that leads elsewhere", func(i *installation) { proxy(i, jwksPath, answer(404, proxyPage)) }, "public.keys", doctor.Fault, "no keys (status 404)", "public.listen"},
	{"a proxy without the bridge behind it", func(i *installation) { proxy(i, "/", answer(502, "Bad Gateway")) }, "public.keys", doctor.Fault, "does not reach the partner server (502)", "public.listen"},
	{"a redirect", func(i *installation) {
		proxy(i, "/", http.RedirectHandler("https://www.example.org/", http.StatusMovedPermanently).ServeHTTP)
	}, "public.keys", doctor.Fault, "redirects", "final address"},
	{"a proxy that hides its clients", func(i *installation) { proxy(i, "/", answer(429, "Too Many Requests\n")) }, "public.keys", doctor.Fault, "429", "X-Forwarded-For"},
	{"keys of another bridge", func(i *installation) { proxy(i, jwksPath, answer(200, pushKeys)) }, "public.keys", doctor.Fault, "other keys", "another bridge"},
	{"a key too many", func(i *installation) {
		proxy(i, jwksPath, func(w http.ResponseWriter, r *http.Request) {
			recorded := record(i.partner, r)
			_, _ = w.Write([]byte(strings.Replace(recorded, `{"keys":[`, `{"keys":[`+strings.TrimSuffix(strings.TrimPrefix(pushKeys, `{"keys": [`), "]}")+",", 1)))
		})
	}, "public.keys", doctor.Warning, "not in the database", "two bridges"},
	{"a bridge that is off", (*installation).down, "public.keys", doctor.Note, "not looked at", "Start the bridge"},
	{"a proxy that lets no POST through", func(i *installation) { proxy(i, "/push", answer(403, proxyPage)) }, "public.push", doctor.Fault, "status 403", "public.listen"},
	{"a login in front of the push", func(i *installation) { proxy(i, "/push", answer(401, "login first")) }, "public.push", doctor.Fault, "status 401", "public.listen"},
	{"a proxy with its own page for files", func(i *installation) { proxy(i, "/media/", answer(404, proxyPage)) }, "public.media", doctor.Fault, "status 404", "public.listen"},
	{"a proxy that takes Range away", func(i *installation) {
		proxy(i, "/media/", func(w http.ResponseWriter, r *http.Request) {
			r.Header.Del("Range")
			i.partner.ServeHTTP(w, r)
		})
	}, "public.ranges", doctor.Fault, "Range", "buffering"},
	{"files that are gone behind the proxy", func(i *installation) {
		proxy(i, "/media/AQ", answer(503, ""))
	}, "public.ranges", doctor.Fault, "status 503", "log"},
	{"no files", func(i *installation) { i.must(os.RemoveAll(i.cfg.Public.MediaDir)) }, "public.ranges", doctor.Note, "not tried", ""},
	{"no folder for files yet", func(i *installation) { i.must(os.RemoveAll(i.cfg.Public.MediaDir)) }, "media.store", doctor.Note, "first start", ""},
	{"a file in the place of the folder for files", func(i *installation) {
		i.must(os.RemoveAll(i.cfg.Public.MediaDir))
		i.must(os.WriteFile(i.cfg.Public.MediaDir, nil, 0o600))
	}, "media.store", doctor.Fault, "not a directory", "chown"},
}

var gatekeeperFaults = []provoked{
	{"a gatekeeper that is away", func(i *installation) { i.gatekeeper.Close() }, "gatekeeper.enlist", doctor.Fault, "enlistment server cannot be reached at 127.0.0.1", "enlist_url"},
	{"a chat server that fails", func(i *installation) { i.gatekeeperAnswers["/chat"] = answer(503, "") }, "gatekeeper.chat", doctor.Fault, "status 503", "Wait"},
	{"a chat server with another certificate", func(i *installation) { i.cfg.Gatekeepers[0].ChatURL = strings.Replace(i.stranger(), "https", "wss", 1) }, "gatekeeper.chat", doctor.Fault, "known authority", "chat_url"},
	{"a media host with a wrong name", func(i *installation) { i.cfg.Gatekeepers[0].MediaURL = "https://no.such.host.invalid" }, "gatekeeper.media", doctor.Fault, "cannot be resolved", "media_url"},
	{"a media host without TLS", func(i *installation) {
		i.cfg.Gatekeepers[0].MediaURL = strings.Replace(i.gatekeeperPlain(), "127.0.0.1", hostName(i.t), 1)
	}, "gatekeeper.media", doctor.Warning, "without TLS", "https://"},
	{"a clock that is off", func(i *installation) { i.gatekeeperAnswers["/enlist"] = clockOff(-10*time.Minute, "") }, "gatekeeper.clock", doctor.Fault, "WhatsApp's are 10m", "NTP"},
	{"a gatekeeper that wants a newer version", func(i *installation) {
		i.counts(`postern_connections{gatekeeper="wa",state="connecting"} 3`, `postern_disconnects_total{gatekeeper="wa",reason="outdated"} 9`)
	}, "gatekeeper.channels", doctor.Fault, "connected with WhatsApp: 0, who try to be: 3. It refuses the protocol version", "Update Postern"},
	{"a wrong root key", func(i *installation) {
		i.counts(`postern_connections{gatekeeper="wa",state="connecting"} 3`, `postern_disconnects_total{gatekeeper="wa",reason="untrusted_server"} 9`)
	}, "gatekeeper.channels", doctor.Fault, "root_key", "root_key"},
	{"identity tokens that a gatekeeper does not believe", func(i *installation) {
		i.counts(`postern_connections{gatekeeper="wa",state="connecting"} 3`, `postern_disconnects_total{gatekeeper="wa",reason="token_refused"} 9`)
	}, "gatekeeper.channels", doctor.Fault, "does not believe the identity tokens", "public.url"},
	{"a second bridge on a copy of the database", func(i *installation) {
		i.counts(`postern_connections{gatekeeper="wa",state="connecting"} 3`, `postern_disconnects_total{gatekeeper="wa",reason="replaced"} 9`)
	}, "gatekeeper.channels", doctor.Fault, "Another program uses the same enlistments", "Stop the other bridge"},
	{"channels that do not come up", func(i *installation) { i.counts(`postern_connections{gatekeeper="wa",state="connecting"} 3`) }, "gatekeeper.channels", doctor.Warning, "who try to be: 3", "log"},
	{"no keys for pushes", func(i *installation) { i.gatekeeperAnswers["/keys"] = answer(404, "") }, "gatekeeper.push_keys", doctor.Fault, "status 404", "push_keys_url"},
	{"something else than keys", func(i *installation) { i.gatekeeperAnswers["/keys"] = answer(200, proxyPage) }, "gatekeeper.push_keys", doctor.Fault, "are no keys", "push_keys_url"},
	{"keys that cannot be fetched", func(i *installation) { i.cfg.Gatekeepers[0].PushKeysURL = "http://" + closedPort(i.t) }, "gatekeeper.push_keys", doctor.Fault, "refused", "push_keys_url"},
	{"no pushes", func(i *installation) { i.cfg.Gatekeepers[0].PushIssuer = "" }, "gatekeeper.push_keys", doctor.Note, "cannot wake", ""},
}

func TestWhatGoesWrongIsNamedRightly(t *testing.T) {
	for _, fault := range faults {
		t.Run(fault.what+" is "+fault.check, func(t *testing.T) {
			t.Parallel()
			i := install(t)
			fault.break_(i)
			findings := i.examine()
			at := slices.IndexFunc(findings, func(finding doctor.Finding) bool {
				return finding.Check == fault.check && finding.Status == fault.status && strings.Contains(finding.Text, fault.text) && strings.Contains(finding.Remedy, fault.remedy)
			})
			if at < 0 {
				t.Errorf("not found: %s %s %q %q, but", fault.status, fault.check, fault.text, fault.remedy)
				for _, finding := range findings {
					if finding.Status != doctor.OK || finding.Check == fault.check {
						t.Errorf("%+v", finding)
					}
				}
				return
			}
			for _, finding := range findings {
				if (finding.Status == doctor.Fault || finding.Status == doctor.Warning) && finding.Remedy == "" {
					t.Errorf("no remedy: %+v", finding)
				}
				for _, secret := range []string{i.cfg.Appservice.ASToken, i.cfg.Appservice.HSToken, "hidden", i.cfg.DoublePuppet.ASToken, i.cfg.Provisioning.SharedSecret, "@alice"} {
					if secret != "" && strings.Contains(finding.Text+finding.Remedy, secret) {
						t.Errorf("a secret is in %+v", finding)
					}
				}
			}
			if mend := mends[fault.what]; mend != nil {
				i.isMended(mend, findings[at])
			}
		})
	}
}
