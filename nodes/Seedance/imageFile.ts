/** An image file of the input item as a link that the API can fetch: n8n's own signed file URLs. */
import type { IBinaryData, IExecuteFunctions } from 'n8n-workflow';

import { isPublicUrl } from '../shared/publicUrl';

/** How long the link works; the API fetches the image when the task starts. */
const LINK_LIFE = '1d';

/** Where n8n keeps the files that a form or a webhook was sent, until the execution pauses or ends (measured). */
const SENT_FILES = '/executions/temp/';

const INSTEAD = 'Or upload the image somewhere public and set Image to "From URL".';

export type ImageLink = { url: string; identity: string } | { problem: string };

/**
 * A file that stays where it is: n8n moves the files of a form or a webhook when the execution pauses or ends, and a link
 * to the old place would be dead before the API has fetched the image.
 */
async function lasting(context: IExecuteFunctions, file: IBinaryData): Promise<IBinaryData> {
	if (!file.id?.includes(SENT_FILES)) return file;
	const content = await context.helpers.getBinaryStream(file.id);
	return await context.helpers.prepareBinaryData(content, file.fileName, file.mimeType);
}

/** What stays the same of a file's id when n8n moves the file: its name in the store, the part after the last slash. */
function identityOf(fileId: string): string {
	return fileId.slice(fileId.lastIndexOf('/') + 1);
}

/**
 * The link of the image in a binary field of an item, and what identifies the file across retries (the
 * link itself differs each time). Gives a sentence on what to do instead where there can be no link:
 * no such file, not an image, binaries kept in memory, or an n8n that the internet cannot reach.
 */
export async function imageLink(
	context: IExecuteFunctions,
	itemIndex: number,
	field: string,
	apiIsLocal: boolean,
): Promise<ImageLink> {
	const file = context.getInputData()[itemIndex]?.binary?.[field];
	if (!file) {
		return {
			problem: `Input Data Field Name "${field}": the item has no file in that field. Set it to the field of the previous node that holds the image.`,
		};
	}
	if (file.mimeType && !file.mimeType.startsWith('image/')) {
		return {
			problem: `Input Data Field Name "${field}": the file is ${file.mimeType}, not an image.`,
		};
	}
	// Older n8n has no signed file URLs, whatever its types say.
	const canSign = typeof context.helpers.createBinarySignedUrl === 'function';
	if (!canSign || !file.id) {
		return {
			problem: `Input Data Field Name "${field}": this n8n ${
				canSign
					? 'keeps files in memory, where the API cannot fetch them. Set N8N_DEFAULT_BINARY_DATA_MODE to "filesystem"'
					: 'cannot make links to files. Update n8n'
			}. ${INSTEAD}`,
		};
	}
	if (!apiIsLocal && !isPublicUrl(context.getRestApiUrl())) {
		return {
			problem: `Input Data Field Name "${field}": the Seedance API cannot fetch the file, because the address of this n8n is not public. Set WEBHOOK_URL or N8N_EDITOR_BASE_URL to its public address. ${INSTEAD}`,
		};
	}
	const stays = await lasting(context, file);
	return {
		url: context.helpers.createBinarySignedUrl(stays, LINK_LIFE),
		identity: identityOf(file.id),
	};
}
