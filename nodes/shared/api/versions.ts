/** Where the versions of the API are (docs/api-contract.md#version-2). */
import type { ApiVersion } from '../task/models';

/** The version that a task is asked for first where its own is not known. */
export const FIRST_VERSION: ApiVersion = 'v1';
/** The others, in the order in which they are asked. */
export const OTHER_VERSIONS: readonly ApiVersion[] = ['v2'];

/**
 * The address of a version, for a credential whose base URL leads to the first; undefined where that
 * does not end in its name, so that the others cannot be told.
 */
export function baseUrlOf(
	{ baseUrl }: { baseUrl: string },
	version: ApiVersion,
): string | undefined {
	if (version === FIRST_VERSION) return baseUrl;
	const end = `/${FIRST_VERSION}`;
	return baseUrl.endsWith(end) ? `${baseUrl.slice(0, -end.length)}/${version}` : undefined;
}
