/**
 * What all suites share that post to networks: the stand-ins, the proxy in front of them, an n8n whose traffic goes there,
 * and its credentials for the networks.
 */
import type { INode } from 'n8n-workflow';

import { api, useN8n } from '../n8n/world.cjs';
import { ExampleFiles } from './exampleFiles.cjs';
import { GoogleAccount } from './google.cjs';
import { Instagram } from './instagram.cjs';
import { JoiningService } from './joiningService.cjs';
import { NetworkProxy } from './proxy.cjs';
import { S3 } from './s3.cjs';
import { Sheets } from './sheets.cjs';
import { Telegram } from './telegram.cjs';
import { TikTok } from './tiktok.cjs';
import { YouTube } from './youtube.cjs';

export const google = new GoogleAccount();
export const youtube = new YouTube(google);
export const sheets = new Sheets(google);
export const instagram = new Instagram();
export const telegram = new Telegram();
export const s3 = new S3();
export const joining = new JoiningService();
export const tiktok = new TikTok();
const files = new ExampleFiles();
const networks = [google, youtube, sheets, instagram, telegram, s3, joining, tiktok, files];
export const proxy = new NetworkProxy(networks);

/** The credentials of the nodes of each network, by the type of the node. */
export const accounts: Record<string, INode['credentials']> = {};

/**
 * Registers the hooks that start the networks, and n8n behind the proxy, for a test file. No test may send anything to an
 * address that no network has, nor a call that its network does not know.
 */
export function useNetworks(): void {
	useN8n(undefined, async () => await proxy.start());

	beforeAll(async () => {
		const scope = 'https://www.googleapis.com/auth/';
		await saveAccount('n8n-nodes-base.youTube', 'youTubeOAuth2Api', {
			...google.credentialData(`${scope}youtube.upload`),
		});
		await saveAccount('n8n-nodes-base.googleSheets', 'googleSheetsOAuth2Api', {
			...google.credentialData(`${scope}spreadsheets`),
		});
		const { accessToken } = instagram;
		await saveAccount('n8n-nodes-base.facebookGraphApi', 'facebookGraphApi', { accessToken });
		const bot = { accessToken: telegram.token, baseUrl: 'https://api.telegram.org' };
		await saveAccount('n8n-nodes-base.telegram', 'telegramApi', bot);
		const { endpoint, region, accessKeyId, secretAccessKey } = s3;
		const bucket = { endpoint, region, accessKeyId, secretAccessKey };
		await saveAccount('n8n-nodes-base.s3', 's3', bucket);
	});

	beforeEach(() => proxy.reset());

	afterEach(() => {
		const { strays, mistakes } = proxy;
		expect({ strays, mistakes }).toEqual({ strays: [], mistakes: [] });
	});

	afterAll(async () => await proxy.stop());
}

/** Saves a credential, which the nodes of one type get from then on. */
async function saveAccount(nodeType: string, type: string, data: object): Promise<void> {
	const { id, name } = await api.createCredential({ name: `A ${type}`, type, data: { ...data } });
	accounts[nodeType] = { [type]: { id, name } };
}
