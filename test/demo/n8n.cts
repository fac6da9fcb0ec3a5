/** n8n with its editor and the example in it, as the demo and `npm run dev` open it. */
import type { IDataObject } from 'n8n-workflow';

import {
	isPortFree,
	startN8n,
	type N8nServer,
	type SavedWorkflow,
	type StartOptions,
} from '../support/n8n/server.cjs';
import {
	CREDENTIAL_NAME,
	CREDENTIAL_TYPE,
	DemoError,
	say,
	withCredential,
	type Api,
	type DemoOptions,
} from './demo.cjs';

const USUAL_PORT = 5678;

export interface Editor {
	n8n: N8nServer;
	workflow: SavedWorkflow;
}

/** Starts n8n with the packed package, a credential for the API, and the example. */
export async function startEditor(
	api: Api,
	{ port, example }: DemoOptions,
	options: StartOptions,
): Promise<Editor> {
	const packages = process.env.SEEDANCE_TARBALL;
	if (!packages) throw new DemoError('There is no packed package here: run `npm run demo`.');
	const env = { ...(api.sandbox ? {} : proxyVariables()), ...options.env };
	const n8n = await startN8n({ ...options, packages, port: await choosePort(port), env });
	try {
		const { apiKey, baseUrl } = api;
		const credentialId = await saveCredential(n8n, { apiKey, baseUrl });
		const { name, ...content } = withCredential(example, credentialId);
		const saved = (await n8n.api.listWorkflows()).find((workflow) => workflow.name === name);
		const workflow = saved
			? await n8n.api.getWorkflow(saved.id)
			: await n8n.api.createWorkflow({ name, ...content });
		return { n8n, workflow };
	} catch (error) {
		await n8n.stop();
		throw error;
	}
}

/** The sandbox is on this machine; the real API may have to be reached through a proxy. */
function proxyVariables(): Record<string, string> {
	const names = Object.keys(process.env).filter((name) => /^(https?|no)_proxy$/i.test(name));
	return Object.fromEntries(names.map((name) => [name, process.env[name] ?? '']));
}

async function choosePort(preferred: number | undefined): Promise<number> {
	const usual = Array.from({ length: 20 }, (_, offset) => USUAL_PORT + offset);
	const candidates = preferred === undefined ? usual : [preferred];
	for (const port of candidates) if (await isPortFree(port)) return port;
	throw new DemoError(
		`Port ${candidates[0]} is in use by another program. Choose another with --port.`,
	);
}

async function saveCredential({ api }: N8nServer, data: IDataObject): Promise<string> {
	const credential = { name: CREDENTIAL_NAME, type: CREDENTIAL_TYPE, data };
	const saved = (await api.listCredentials()).find(({ name }) => name === CREDENTIAL_NAME);
	const { id } = saved
		? await api.updateCredential(saved.id, credential)
		: await api.createCredential(credential);
	return id;
}

/** Says where the editor is, opens it in a browser where there is one, and waits for Ctrl-C. */
export async function stayOpen(
	{ n8n, workflow }: Editor,
	{ sandbox }: Api,
	signal: AbortSignal,
): Promise<void> {
	const url = `${n8n.baseUrl}/workflow/${workflow.id}`;
	say(`The editor is open at ${url}
  Email     ${n8n.login.email}
  Password  ${n8n.login.password}
`);
	if (sandbox) {
		say(`To fill in the Seedance credential yourself:
  API Key   ${sandbox.apiKey}
  Base URL  ${sandbox.baseUrl}
`);
	}
	say('Press Ctrl-C to end.');
	const { DISPLAY, WAYLAND_DISPLAY } = process.env;
	if (DISPLAY || WAYLAND_DISPLAY || ['darwin', 'win32'].includes(process.platform)) {
		const { default: open } = await import('open');
		await open(url);
	}
	const interrupted = new Promise<void>((done) => {
		if (signal.aborted) done();
		signal.addEventListener('abort', () => done());
	});
	await Promise.race([n8n.ended(), interrupted]);
	if (!signal.aborted) throw new DemoError('n8n has ended by itself.');
	say('\nEnding n8n …');
}
