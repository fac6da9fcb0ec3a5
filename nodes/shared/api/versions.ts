/** The addresses of the API's versions (docs/api-contract.md#version-2). */
import type { ApiVersion } from '../task/models';

/** The version from which a task is read first while its own is not known. */
export const FIRST_VERSION: ApiVersion = 'v1';
/** The others, in the order in which they are tried. */
export const OTHER_VERSIONS: readonly ApiVersion[] = ['v2'];

/**
 * The address of a version, from the base URL of the first; undefined where that does not end in
 * /v1, so that the others are unknown.
 */
export function baseUrlOf(
	{ baseUrl }: { baseUrl: string },
	version: ApiVersion,
): string | undefined {
	if (version === FIRST_VERSION) return baseUrl;
	const end = `/${FIRST_VERSION}`;
	return baseUrl.endsWith(end) ? `${baseUrl.slice(0, -end.length)}/${version}` : undefined;
}
