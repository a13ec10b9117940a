package e2e

import (
	"fmt"
	"net/url"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// A session whose key is revoked ends at the sign-in page, which leads back.
func sessionRevoked(v *visitor) {
	k := v.key(ffrtmp.ScopeRead)
	v.signIn(v.Master(0), "/ui/jobs", k.Secret)
	v.page.mayFail(true) // requests without a session are a 401
	v.must(v.client.RevokeKey(v.soon(), k.ID))
	v.page.until("the sign-in page", `document.querySelector("#sign-in") && location.search === "?next=%2Fui%2Fjobs"`)
}

// shortLife is how long the key of a session that expires is valid: long enough to sign in on a busy machine.
const shortLife = time.Minute

// shortSession signs in with a key that expires, and returns what happens to the page then: it asks to sign in again by
// itself, and leads back to where it was.
func (v *visitor) shortSession() func(*visitor) {
	v.t.Helper()
	const path = "/ui/jobs?status=completed"
	k, err := v.client.CreateKey(v.soon(), ffrtmp.NewKey{
		Name: "short", Scopes: []ffrtmp.Scope{ffrtmp.ScopeRead}, ExpiresIn: ffrtmp.Duration(shortLife),
	})
	v.must(err)
	m := v.Master(0)
	v.signIn(m, path, k.Secret)
	v.page.mayFail(true) // masters die meanwhile
	return func(w *visitor) {
		v.t = w.t
		v.page.until("the sign-in page", `document.querySelector("#sign-in") && location.search === "?next=`+
			url.QueryEscape(path)+`"`)
		if time.Now().Before(k.ExpiresAt) {
			w.t.Errorf("got the sign-in page before %s, want it when the session has expired", k.ExpiresAt)
		}
		v.page.until("the reason", contains(".toast", "session has ended"))
		v.page.fill("#key", v.APIKey())
		v.page.click("#sign-in button")
		v.page.until("the same page", fmt.Sprintf(`location.pathname + location.search === %q`, path))
		v.live()
	}
}
