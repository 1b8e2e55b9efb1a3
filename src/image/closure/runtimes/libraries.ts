import type { Rule } from "./rule.ts";

/** Files that common libraries open by themselves. */
export const libraryRules: readonly Rule[] = [
  {
    name: "terminfo",
    when: { library: /^lib(n?curses|tinfo|terminfo|slang|termcap)/ },
    needs: [
      { path: "/etc/terminfo/**", why: "terminal descriptions" },
      { path: "/lib/terminfo/**", why: "terminal descriptions" },
      { path: "/usr/share/terminfo/**", why: "terminal descriptions" },
      { path: "/usr/lib/terminfo/**", why: "terminal descriptions" },
      { path: "/etc/termcap", why: "terminal descriptions" },
    ],
  },
  { name: "readline", when: { library: /^libreadline/ }, needs: [{ path: "/etc/inputrc", why: "key bindings" }] },
  {
    name: "openssl",
    when: { library: /^libcrypto\.so/ },
    needs: [
      { path: "/etc/ssl/openssl.cnf", why: "OpenSSL's configuration" },
      { path: "/usr/lib/ssl/openssl.cnf", why: "OpenSSL's configuration" },
      { path: "/etc/pki/tls/openssl.cnf", why: "OpenSSL's configuration" },
      { path: "/etc/crypto-policies/back-ends/*", why: "OpenSSL's configuration" },
      { path: "/usr/lib/{triplet}/ossl-modules/*", why: "OpenSSL's providers" },
      { path: "/usr/lib/{triplet}/engines-*/*", why: "OpenSSL's engines" },
      { path: "/usr/lib64/ossl-modules/*", why: "OpenSSL's providers" },
    ],
  },
  {
    name: "certificates",
    // Not /etc/ssl/private: keys stay outside.
    when: { library: /^lib(ssl|gnutls|nss3|mbedtls|curl|wolfssl)[.-]/, program: /^node(js)?$/ },
    needs: [
      { path: "/etc/ssl/certs/**", why: "certificate authorities" },
      { path: "/etc/ssl/cert.pem", why: "certificate authorities" },
      { path: "/usr/lib/ssl/certs", why: "certificate authorities" },
      { path: "/usr/lib/ssl/cert.pem", why: "certificate authorities" },
      { path: "/etc/ssl/openssl.cnf", why: "OpenSSL's configuration" },
      { path: "/usr/lib/ssl/openssl.cnf", why: "OpenSSL's configuration" },
      { path: "/usr/share/ca-certificates/**", why: "certificate authorities" },
      { path: "/etc/pki/tls/certs/**", why: "certificate authorities" },
      { path: "/etc/pki/tls/cert.pem", why: "certificate authorities" },
      { path: "/etc/pki/ca-trust/extracted/**", why: "certificate authorities" },
    ],
  },
  {
    name: "gnutls",
    when: { library: /^libgnutls\.so/ },
    needs: [{ path: "/etc/gnutls/*", why: "GnuTLS's configuration" }],
  },
  {
    name: "p11-kit",
    when: { library: /^libp11-kit\.so/ },
    needs: [
      { path: "/etc/pkcs11/**", why: "modules for tokens and trust" },
      { path: "/usr/share/p11-kit/**", why: "modules for tokens and trust" },
      { path: "/usr/lib/{triplet}/pkcs11/*", why: "modules for tokens and trust" },
    ],
  },
  {
    name: "kerberos",
    when: { library: /^lib(krb5|gssapi_krb5)\.so/ },
    needs: [
      { path: "/etc/krb5.conf", why: "Kerberos configuration" },
      { path: "/etc/krb5.conf.d/*", why: "Kerberos configuration" },
      { path: "/etc/gss/mech.d/*", why: "GSSAPI mechanisms" },
      { path: "/usr/lib/{triplet}/krb5/plugins/**", why: "Kerberos plugins" },
    ],
  },
  {
    name: "ldap",
    when: { library: /^libldap/ },
    needs: [{ path: "/etc/ldap/ldap.conf", why: "LDAP configuration" }],
  },
  {
    name: "sasl",
    when: { library: /^libsasl2\.so/ },
    needs: [{ path: "/usr/lib/{triplet}/sasl2/*", why: "SASL mechanisms" }],
  },
  {
    name: "pam",
    when: { library: /^libpam\.so/ },
    needs: [
      { path: "/etc/pam.conf", why: "PAM configuration" },
      { path: "/etc/pam.d/*", why: "PAM configuration" },
      { path: "/usr/lib/{triplet}/security/*", why: "PAM modules" },
      { path: "/lib/security/*", why: "PAM modules" },
      { path: "/etc/security/*", except: /opasswd$/, why: "PAM configuration" },
      { path: "/etc/login.defs", why: "login configuration" },
    ],
  },
  { name: "selinux", when: { library: /^libselinux\.so/ }, needs: [{ path: "/etc/selinux/config", why: "SELinux's state" }] },
  {
    name: "gcrypt",
    when: { library: /^libgcrypt\.so/ },
    needs: [{ path: "/etc/gcrypt/*", why: "libgcrypt's configuration" }],
  },
  {
    name: "magic",
    when: { library: /^libmagic\.so/ },
    needs: [
      { path: "/etc/magic", why: "file signatures" },
      { path: "/etc/magic.mime", why: "file signatures" },
      { path: "/usr/share/misc/magic*", why: "file signatures" },
      { path: "/usr/share/file/magic*", why: "file signatures" },
      { path: "/usr/lib/file/magic.mgc", why: "file signatures" },
    ],
  },
  {
    name: "fontconfig",
    when: { library: /^libfontconfig\.so/ },
    needs: [
      { path: "/etc/fonts/**", why: "font configuration" },
      { path: "/usr/share/fontconfig/**", why: "font configuration" },
    ],
  },
  { name: "libxml2", when: { library: /^libxml2\.so/ }, needs: [{ path: "/etc/xml/*", why: "XML catalogs" }] },
  {
    name: "security-modules",
    when: { library: /^libnss3\.so/ },
    needs: [
      { path: "{directory}/libsoftokn3.*", why: "NSS's token" },
      { path: "{directory}/libfreebl*", why: "NSS's ciphers" },
      { path: "{directory}/nss/*", why: "NSS's tokens" },
    ],
  },
  {
    name: "gio",
    when: { library: /^libgio-2\.0\.so/ },
    needs: [
      { path: "/usr/lib/{triplet}/gio/modules/*", why: "GIO modules" },
      { path: "/usr/share/glib-2.0/schemas/gschemas.compiled", why: "settings" },
    ],
  },
  { name: "mime", when: { library: /^libgio-2\.0\.so/ }, needs: [{ path: "/usr/share/mime/mime.cache", why: "file types" }] },
  {
    name: "dpkg",
    when: { program: /^dpkg(-query|-deb|-split|-divert)?$/ },
    needs: [
      { path: "/etc/dpkg/**", why: "dpkg's configuration" },
      { path: "/usr/share/dpkg/**", why: "dpkg's tables" },
    ],
  },
];
