// The contract of the list of videos in a real n8n, on SQLite.
import { n8nListContract } from '../support/n8n/listHost.cjs';

n8nListContract();
