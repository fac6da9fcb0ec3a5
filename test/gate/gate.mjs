/**
 * n8n's own gate for community packages: the check that a package has to pass to be verified.
 *
 *     node test/gate/gate.mjs source=<folder> package=<folder> …
 *
 * prints one line of JSON on stdout: for each folder, in order, `{ "passed": …, "details": … }`. `source` is checked as
 * the gate checks a repository, `package` as it checks an unpacked tarball.
 *
 * The gate lives in a folder of its own in the user's cache: it works with another TypeScript than the one it names,
 * which takes an `overrides` field, and the gate refuses any package that has one.
 */
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { InstallError, installOnce } from '../support/packages.mjs';

/** What n8n reads of a tarball; the patterns for a repository are exported by the gate itself. */
const PACKAGE_FILE_PATTERNS = ['**/*.js', 'package.json'];

/**
 * Makes sure that the gate is installed.
 *
 * @returns {Promise<string>} its folder
 * @throws {InstallError} with one sentence, when it cannot be installed
 */
export async function ensureGate() {
	return await installOnce('gate', {
		recipe: dirname(fileURLToPath(import.meta.url)),
		what: "n8n's gate",
		gigabytes: 0.5,
	});
}

async function check(request, { analyzePackage, SOURCE_FILE_PATTERNS }) {
	const [, kind, folder] = /^(source|package)=(.+)$/.exec(request) ?? [];
	if (!kind) throw new InstallError(`"${request}" is no source=<folder> or package=<folder>.`);
	const patterns = kind === 'source' ? SOURCE_FILE_PATTERNS : PACKAGE_FILE_PATTERNS;
	const { passed, message = '', details = '' } = await analyzePackage(resolve(folder), patterns);
	return { passed, details: `${message}\n${details}` };
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
	// Under jest, one of the gate's plugins takes every file for its own test fixture.
	delete process.env.NODE_ENV;
	try {
		const scanner = '@n8n/scan-community-package/scanner/scanner.mjs';
		const path = join(await ensureGate(), 'node_modules', scanner);
		const gate = await import(pathToFileURL(path).href);
		const results = [];
		for (const request of process.argv.slice(2)) results.push(await check(request, gate));
		process.stdout.write(`${JSON.stringify(results)}\n`);
	} catch (error) {
		process.stderr.write(`${error instanceof InstallError ? error.message : error.stack}\n`);
		process.exitCode = 1;
	}
}
