package gatekeeper

import (
	"errors"
	"net/http"

	waBinary "go.mau.fi/whatsmeow/binary"

	"postern/gatekeeper/state"
)

const picturePath = "/pictures/"

// handlePictureGet tells where a user's profile picture is.
func (c *session) handlePictureGet(iq *waBinary.Node) ([]waBinary.Node, error) {
	target, ok := jid(iq, "target")
	if !ok {
		target, ok = jid(iq, "to") // the older form
	}
	asked := child(iq, "picture")
	if !ok || asked.Tag == "" {
		return nil, errBadRequest
	}
	self, err := c.self()
	if err != nil {
		return nil, err
	}
	owner, err := c.server.directory.find(c.ctx, target)
	if errors.Is(err, state.ErrUnknown) {
		return nil, errNoSuchUser
	} else if err != nil {
		return nil, err
	}
	settings, err := c.server.state.Privacy(c.ctx, owner.JID)
	if err != nil {
		return nil, err
	}
	if owner.JID != self.JID && (!mayWrite(self, owner) || owner.blocked[self.JID] || settings["profile"] == "none") {
		return nil, &stanzaError{code: codeNotAuthorized, text: "not-authorized"}
	}
	id, err := c.server.state.PictureID(c.ctx, owner.JID)
	if errors.Is(err, state.ErrUnknown) {
		return nil, errNoSuchUser
	} else if err != nil {
		return nil, err
	}
	if text(asked, "id") == id {
		return nil, nil // the client has it
	}
	kind := text(asked, "type")
	if kind != "preview" {
		kind = "image"
	}
	return []waBinary.Node{{Tag: "picture", Attrs: waBinary.Attrs{
		"id": id, "type": kind, "url": c.server.URL() + picturePath + id, "direct_path": picturePath + id,
	}}}, nil
}

// servePicture is the host of profile pictures.
func (s *Server) servePicture(w http.ResponseWriter, r *http.Request) {
	content, err := s.state.PictureByID(r.Context(), cut(r.PathValue("id"), maxID))
	if errors.Is(err, state.ErrUnknown) {
		http.NotFound(w, r)
		return
	} else if err != nil {
		s.log.Err(err).Msg("Failed to read a picture")
		http.Error(w, "cannot be read", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", http.DetectContentType(content))
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(content)
}
