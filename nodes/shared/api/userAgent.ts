/** The name this package gives itself at every server it calls. */

/**
 * Value of the `User-Agent` header: name and version of the package, and where to read about it.
 * Held to package.json by a test.
 */
export const USER_AGENT =
	'n8n-nodes-seedance/0.2.0 (+https://github.com/n8n-nodes-seedance/n8n-nodes-seedance)';
