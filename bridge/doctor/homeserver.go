package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"maunium.net/go/mautrix/id"

	"postern/bridge/homeserver"
)

// homeserverURL is an address at the homeserver's client interface.
func (e *examination) homeserverURL(path string) string {
	return strings.TrimRight(e.Config.Homeserver.Address, "/") + path
}

// homeserver asks the homeserver what an appservice can ask it. What depends on something that fails is left out.
func (e *examination) homeserver(ctx context.Context) []Finding {
	reachable, heard := e.homeserverReachable(ctx)
	findings := []Finding{reachable}
	if heard == nil {
		return findings
	}
	if heard.known {
		findings = append(findings, clockFinding("homeserver.clock", "the homeserver's", heard.off))
	}
	software, version := homeserver.Software(ctx, e.client, e.Config.Homeserver.Address)
	features := homeserver.GuessFeatures(software, version)
	findings = append(findings, versionFinding(features))
	token := e.tokenFinding(ctx)
	findings = append(findings, token)
	if token.Status == Fault {
		return findings
	}
	namespaces := e.namespaceFinding(ctx, features)
	// Where contacts' names are not ours, Dendrite has no reason to ask us for one.
	asks := features.Software == homeserver.Dendrite && namespaces.Status == OK
	return append(findings,
		e.botFinding(ctx),
		namespaces,
		e.doublePuppetFinding(ctx),
		e.pingFinding(ctx, asks),
		e.encryptionFinding(ctx, features),
		e.uploadFinding(ctx),
	)
}

// homeserverReachable returns no answer if there is no homeserver.
func (e *examination) homeserverReachable(ctx context.Context) (Finding, *answer) {
	const check = "homeserver.reachable"
	address := e.Config.Homeserver.Address
	heard, err := e.ask(ctx, http.MethodGet, e.homeserverURL("/_matrix/client/versions"), "", nil)
	if err != nil {
		remedy := "Start the homeserver, or correct homeserver.address: it is where its client interface is, as seen from here."
		if certificateCause(err) != "" {
			remedy = "Mend the certificate, or write the address that the homeserver has on this machine, such as http://localhost:8008."
		}
		return fault(check, fmt.Sprintf("The homeserver does not answer at %s: %s.", address, causeOf(err)), remedy), nil
	}
	var versions struct {
		Versions []string `json:"versions"`
	}
	if heard.status != http.StatusOK || json.Unmarshal(heard.body, &versions) != nil || len(versions.Versions) == 0 {
		return fault(check, fmt.Sprintf("What answers at %s is not a homeserver's client interface (status %d).", address, heard.status),
			"Correct homeserver.address: scheme, host and port of the listener with the resource client, without a path."), nil
	}
	return fine(check, "The homeserver answers at "+address+"."), heard
}

func versionFinding(server homeserver.Features) Finding {
	const check = "homeserver.version"
	name := strings.TrimSpace(server.Software + " " + server.Version)
	switch {
	case server.Software == "":
		return note(check, "The homeserver does not tell what it is. Postern is tested with Synapse and Dendrite.", "")
	case server.TooOld():
		return warning(check, "The homeserver is "+name+". Postern is made for Synapse from 1.100 and Dendrite from 0.15 on.", "Update the homeserver.")
	}
	return fine(check, "The homeserver is "+name+".")
}

const (
	notLoaded = "it did not load the registration, or another one."
	// loadRemedy is for a homeserver that knows nothing of the bridge.
	loadRemedy = "List registration.yaml in the homeserver's configuration (Synapse: app_service_config_files, Dendrite: app_service_api.config_files), " +
		"compare its as_token with the config, and restart the homeserver."
)

const whoamiPath = "/_matrix/client/v3/account/whoami"

// whoami asks as whom a token counts. user is "" for the registration's own sender.
func (e *examination) whoami(ctx context.Context, token string, user id.UserID) (*answer, error) {
	path := whoamiPath
	if user != "" {
		path += "?user_id=" + url.QueryEscape(user.String())
	}
	return e.ask(ctx, http.MethodGet, e.homeserverURL(path), token, nil)
}

func (e *examination) tokenFinding(ctx context.Context) Finding {
	const check = "homeserver.token"
	heard, err := e.whoami(ctx, e.Config.Appservice.ASToken, "")
	if err != nil {
		return fault(check, "The homeserver was asked whether it knows the as_token: "+causeOf(err)+".", "Look at the homeserver's log.")
	}
	switch refused := heard.refusal(); {
	case heard.status == http.StatusOK:
	case refused.Code == "M_UNKNOWN_TOKEN":
		return fault(check, "The homeserver does not know the as_token: "+notLoaded, loadRemedy)
	default:
		return fault(check, fmt.Sprintf("The homeserver refuses the as_token (status %d, %s).", heard.status, errorCode(refused)), "Look at the homeserver's log.")
	}
	var who struct {
		UserID id.UserID `json:"user_id"`
	}
	_ = json.Unmarshal(heard.body, &who) // then it has no domain
	if domain := who.UserID.Homeserver(); domain != "" && domain != e.Config.Homeserver.Domain {
		return fault(check, fmt.Sprintf("The homeserver's name is %s, and homeserver.domain is %s.", domain, e.Config.Homeserver.Domain),
			"Correct homeserver.domain, and the name in the namespaces of both registrations; restart the homeserver. Enlistments go by the name.")
	}
	// Dendrite keeps the tokens of registrations that it had once.
	if stands, err := e.stand(ctx, e.Config.Appservice.ASToken, e.bot()); err == nil && stands == mayNothing {
		return fault(check, "The homeserver takes the as_token for that of an ordinary user: "+notLoaded, loadRemedy)
	}
	return fine(check, "The homeserver loaded the registration: it accepts the as_token.")
}

// errorCode is for people; not every server has one.
func errorCode(refused matrixError) string {
	if refused.Code == "" {
		return "no code"
	}
	return refused.Code
}

// standing is what a homeserver thinks of an appservice that acts as a user.
type standing int

const (
	mayAct standing = iota
	// notRegistered: it may, once there is such a user. Dendrite says so as well of users outside of the namespaces.
	notRegistered
	mayNot
	// mayNothing: the token is one of a user, who acts as nobody else.
	mayNothing
)

// stand asks whether the token may be used in the name of a user.
func (e *examination) stand(ctx context.Context, token string, user id.UserID) (standing, error) {
	heard, err := e.whoami(ctx, token, user)
	switch {
	case err != nil:
		return mayNot, err
	case heard.status == http.StatusOK:
		var who struct {
			UserID id.UserID `json:"user_id"`
		}
		if json.Unmarshal(heard.body, &who) != nil || who.UserID != user {
			return mayNothing, nil
		}
		return mayAct, nil
	case strings.Contains(heard.refusal().Message, "has not registered this user"): // there is no code for it
		return notRegistered, nil
	}
	return mayNot, nil
}

func (e *examination) bot() id.UserID {
	return id.NewUserID(e.Config.Appservice.BotUsername, e.Config.Homeserver.Domain)
}

const namespaceRemedy = "Compare homeserver.domain, bot_username and username_template with the namespaces in the registration that the homeserver has, and restart it."

func (e *examination) botFinding(ctx context.Context) Finding {
	const check = "homeserver.bot"
	stands, err := e.stand(ctx, e.Config.Appservice.ASToken, e.bot())
	switch {
	case err != nil:
		return fault(check, "The homeserver was asked for the bot: "+causeOf(err)+".", "Look at the homeserver's log.")
	case stands == mayAct:
		return fine(check, "The homeserver lets the bridge act as its bot.")
	case stands == notRegistered:
		return note(check, "The bot is not registered yet. The first start of the bridge does that.", "")
	}
	return fault(check, "The homeserver accepts the as_token, but not for the bot: its name is not in the registration's namespaces.", namespaceRemedy)
}

// nobody is the name of a contact who does not exist: those of contacts hold a gatekeeper and a number.
const nobody = "doctor"

// namespaceFinding looks whether contacts' names are the bridge's, and nobody else's.
func (e *examination) namespaceFinding(ctx context.Context, server homeserver.Features) Finding {
	const check = "homeserver.namespaces"
	localpart := strings.Replace(e.Config.Appservice.UsernameTemplate, "{{.}}", nobody, 1)
	stands, err := e.stand(ctx, e.Config.Appservice.ASToken, id.NewUserID(localpart, e.Config.Homeserver.Domain))
	if err != nil {
		return fault(check, "The homeserver was asked for a contact's name: "+causeOf(err)+".", "Look at the homeserver's log.")
	}
	if stands >= mayNot {
		return fault(check, "The homeserver does not let the bridge act as contacts: their names are not in the registration's namespaces.", namespaceRemedy)
	}
	// Synapse tells this apart above. It may be told to call every name free.
	if server.Software != homeserver.Synapse {
		heard, err := e.ask(ctx, http.MethodGet, e.homeserverURL("/_matrix/client/v3/register/available?username="+url.QueryEscape(localpart)), "", nil)
		if err == nil && heard.status == http.StatusOK {
			return fault(check, "Contacts' names are not reserved for the bridge on the homeserver, so others could register them.", namespaceRemedy)
		}
	}
	return fine(check, "The names of contacts belong to the bridge.")
}

func (e *examination) doublePuppetFinding(ctx context.Context) Finding {
	const check = "homeserver.double_puppet"
	token := e.Config.DoublePuppet.ASToken
	if token == "" {
		return note(check, "Double puppeting is off, so users have to accept an invitation for each chat.", "")
	}
	heard, err := e.whoami(ctx, token, "")
	switch {
	case err != nil:
		return fault(check, "The homeserver was asked whether it knows double_puppet.as_token: "+causeOf(err)+".", "Look at the homeserver's log.")
	case heard.status != http.StatusOK:
		return fault(check, "The homeserver does not know double_puppet.as_token, so chats do not join by themselves.",
			"List doublepuppet.yaml beside registration.yaml in the homeserver's configuration, and restart it; or empty double_puppet.as_token.")
	}
	// The bot is a user of the homeserver that everybody has.
	if stands, err := e.stand(ctx, token, e.bot()); err == nil && stands >= mayNot {
		return fault(check, "The homeserver does not let double_puppet.as_token act for its users.",
			"The namespace in doublepuppet.yaml has to match all users of "+e.Config.Homeserver.Domain+". Correct it and restart the homeserver.")
	}
	return fine(check, "The homeserver accepts double_puppet.as_token.")
}

// encryptionFinding says how the keys of encryption come to the bridge.
func (e *examination) encryptionFinding(ctx context.Context, server homeserver.Features) Finding {
	const check = "homeserver.encryption"
	if server.Software == homeserver.Dendrite {
		return fine(check, "Dendrite pushes no encryption keys, so the bridge reads them with a sync of its own.")
	}
	if e.store.ours == nil {
		return note(check, "Whether the homeserver pushes encryption keys is found out at the first start of the bridge.", "")
	}
	proven, err := homeserver.ToDeviceProven(ctx, e.store.ours.KV(), server)
	switch {
	case err != nil:
		return fault(check, "The database cannot be read: "+databaseCause(err)+".", readRemedy(err))
	case proven && server.MSC4190:
		return fine(check, "The homeserver pushes encryption keys, and makes devices for the bridge (MSC4190).")
	case proven:
		return fine(check, "The homeserver pushes encryption keys. Devices are made by logging in.")
	case e.bridge != bridgeUp:
		return note(check, "Whether the homeserver pushes encryption keys is found out when the bridge starts.", "")
	case server.Software == homeserver.Synapse:
		return warning(check, "The homeserver does not push encryption keys, so the bridge reads them with a sync of its own, which is slower.",
			"Set in homeserver.yaml under experimental_features: msc2409_to_device_messages_enabled, msc3202_device_masquerading and "+
				"msc3202_transaction_extensions, all true. Restart Synapse, then the bridge.")
	}
	return note(check, "The homeserver does not push encryption keys, so the bridge reads them with a sync of its own.", "")
}

// uploadFinding compares what the homeserver takes with what the bridge carries.
func (e *examination) uploadFinding(ctx context.Context) Finding {
	const check = "homeserver.upload"
	var limits struct {
		Size int64 `json:"m.upload.size"`
	}
	for _, path := range []string{"/_matrix/client/v1/media/config", "/_matrix/media/v3/config"} {
		heard, err := e.ask(ctx, http.MethodGet, e.homeserverURL(path), e.Config.Appservice.ASToken, nil)
		if err == nil && heard.status == http.StatusOK && json.Unmarshal(heard.body, &limits) == nil && limits.Size > 0 {
			break
		}
	}
	carried := int64(e.Config.Limits.FileMiB) << 20
	switch {
	case limits.Size == 0:
		return note(check, "The homeserver does not tell how large files may be.", "")
	case limits.Size < carried:
		return note(check, fmt.Sprintf("The homeserver takes files of %s at most, and limits.file_mib is %d. The smaller one counts.", inBytes(limits.Size), e.Config.Limits.FileMiB),
			"If contacts' larger files shall arrive: raise max_upload_size of Synapse, or max_file_size_bytes of Dendrite.")
	}
	return fine(check, "The homeserver takes files as large as the bridge carries.")
}
